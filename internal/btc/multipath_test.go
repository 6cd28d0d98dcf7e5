package btc_test

import (
	"fmt"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

func TestMultipath(t *testing.T) {
	const (
		one = "[e0e0f3de/48h/1h/0h/2h]tpubDEeRvN7EHGzzyaJpgezsyPNfXYbxybhq57iJqtp9Nii4fV9TXKLF2NV4t9BLLsLBFWjEEwsfh5y1XZV6vQyiZjkQhPpqoQuTmZo3vLWnLeE"
		two = "tpubDEgV6mZ5ew6cQeD8AFZkSd7NsR8G5qKfChYDuFdmmaAyPM4j6qVaDjTVyXHgfSbiuRH3WTK4ipTxLcWQfftLcSmuijrNbVKe88zuzfHsA1u"
	)
	for _, text := range []string{
		"wpkh(" + one + "/<0;1>/*)",
		"sh(wpkh(" + one + "/<0;1>/*))",
		"tr(" + two + "/<5;2147483647>/*)",
		"wsh(sortedmulti(2," + one + "/<0;1>/*," + two + "/7/<3;2>/8/*))",
		"sh(wsh(multi(1," + two + "/<0;1>/*," + one + "/<0;1>/*)))",
	} {
		whole, err := btc.ParseDescriptor(text, btc.Regtest)
		if err != nil {
			t.Fatal(err)
		}
		receive, change := whole.Split()
		if got := btc.Multipath(receive.String(), change.String()); got != whole.String() {
			t.Errorf("got %s, want %s", got, whole)
		}
		if got := btc.Multipath(receive.String(), receive.String()); got != receive.String() {
			t.Errorf("the same twice becomes %s", got)
		}
	}
	for i, c := range [][2]string{{"", ""}, {"wpkh(x/0/*)#aaaaaaaa", ""}, {"wpkh(x/0/*)", "wpkh(x/0/1/*)"}, {"wpkh(é/0/*)", "wpkh(é/1/*)"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if got := btc.Multipath(c[0], c[1]); got != c[0] {
				t.Errorf("%q becomes %q", c, got)
			}
		})
	}
}
