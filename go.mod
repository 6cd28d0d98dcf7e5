module github.com/specterd/specterd

go 1.26.0
