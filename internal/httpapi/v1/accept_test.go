package v1

import "testing"

func TestPreferred(t *testing.T) {
	for accept, want := range map[string]string{
		"": jsonType, "*/*": jsonType, "text/html": jsonType, "application/json": jsonType, "nonsense": jsonType, ";;,;": jsonType,
		"text/csv": csvType, "TEXT/CSV": csvType, "text/*": csvType, "text/csv, */*": jsonType, "text/csv, */*;q=0.9": csvType,
		"text/csv;q=0.5, application/json;q=0.4": csvType, "text/csv;q=0.4, application/json": jsonType,
		"application/jsonl": linesType, "application/x-ndjson": ndjsonType, "application/jsonl, application/json;q=0.1": linesType,
		"application/*;q=0.2, text/csv;q=0.3": csvType, "*/*, application/json;q=0": csvType, "application/*, application/json;q=0": linesType,
		"text/csv;q=0": jsonType, "text/csv;q=2": jsonType, "text/csv;q=-1": jsonType, "text/csv;q=x": jsonType, "text/csv;q=NaN": jsonType,
		"text/csv; charset=utf-8": csvType, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": jsonType,
	} {
		t.Run(accept, func(t *testing.T) {
			if got := preferred(accept, jsonType, csvType, linesType, ndjsonType); got != want {
				t.Errorf("Accept: %s gets %s, want %s", accept, got, want)
			}
		})
	}
}
