package v1

import (
	"mime"
	"strconv"
	"strings"
)

// Media types of what is streamed. JSON Lines has no registered one; this is what
// jsonlines.org says, and the older of the two others in use is taken for it.
const (
	jsonType   = "application/json"
	csvType    = "text/csv"
	linesType  = "application/jsonl"
	ndjsonType = "application/x-ndjson"
)

// preferred returns the one of the offers that an Accept header likes best (RFC
// 9110, section 12.5.1); the first where it likes several as much, or none.
func preferred(accept string, offers ...string) string {
	best, quality := offers[0], 0.0
	for _, offer := range offers {
		if q := qualityOf(accept, offer); q > quality {
			best, quality = offer, q
		}
	}
	return best
}

// qualityOf returns how much an Accept header likes a media type, from 0 to 1, as
// the most specific of its ranges says.
func qualityOf(accept, offer string) float64 {
	group, _, _ := strings.Cut(offer, "/")
	quality, specific := 0.0, 0
	for text := range strings.SplitSeq(accept, ",") {
		mediaRange, params, err := mime.ParseMediaType(text)
		if err != nil {
			continue
		}
		how := map[string]int{"*/*": 1, group + "/*": 2, offer: 3}[mediaRange]
		if how <= specific {
			continue
		}
		specific, quality = how, 1
		if weight, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(weight, 64); err != nil || quality < 0 || quality > 1 {
				quality = 0
			}
		}
	}
	return quality
}
