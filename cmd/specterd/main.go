// Command specterd is a multi-user REST API for the watch-only wallets
// of a Bitcoin Core or Knots node.
package main

import (
	"os"

	"github.com/specterd/specterd/internal/cli"
)

func main() { os.Exit(cli.Main()) }
