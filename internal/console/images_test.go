package console_test

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestImages checks the pictures in the documents, which TestBrowser_Story takes: cp
// .cache/screenshots/readme-X.png docs/images/console-X.png.
func TestImages(t *testing.T) {
	t.Parallel()
	const most = 200_000 // bytes
	for _, name := range []string{"overview", "proposal", "phone"} {
		path := filepath.Join("..", "..", "docs", "images", "console-"+name+".png")
		data := testkit.Must(os.Open(path))
		size := testkit.Must(data.Stat()).Size()
		picture := testkit.Must(png.Decode(data))
		testkit.Check(t, data.Close())
		if size > most || picture.Bounds().Dy() < 900 {
			t.Errorf("%s has %d bytes, and %v", path, size, picture.Bounds())
		}
	}
}
