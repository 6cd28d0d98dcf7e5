package console

import "github.com/specterd/specterd/internal/fault"

func (c *call) scan([]byte) (string, error) {
	return "", fault.InvalidField("psbt", "must be a file with the PSBT")
}
