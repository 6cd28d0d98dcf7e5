package v1

import (
	"mime"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/historyexport"
)

// Media types of responses. JSON Lines has no registered media type: jsonlines.org proposes
// application/jsonl, and the older application/x-ndjson is also accepted.
const (
	jsonType   = "application/json"
	csvType    = historyexport.CSV
	linesType  = historyexport.Lines
	ndjsonType = "application/x-ndjson"
)

// preferred returns the offer with the highest quality value in an Accept header (RFC
// 9110, section 12.5.1). Earlier offers win ties; the first offer is returned if none is
// acceptable.
func preferred(accept string, offers ...string) string {
	best, quality := offers[0], 0.0
	for _, offer := range offers {
		if q := qualityOf(accept, offer); q > quality {
			best, quality = offer, q
		}
	}
	return best
}

// qualityOf returns the quality value, from 0 to 1, that an Accept header gives to a media
// type. The most specific matching media range applies; without one, the value is 0.
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
