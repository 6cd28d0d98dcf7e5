package text

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, word, want string
		candidates       []string
	}{
		{"a letter is missing", "verfy", "verify", []string{"list", "verify", "archive"}},
		{"two letters are exchanged", "lsit", "list", []string{"verify", "list"}},
		{"a letter is wrong", "SPECTER_API_ACTIVR", "SPECTER_API_ACTIVE", []string{"SPECTER_API_ACTIVE", "PORT"}},
		{"letters are missing in a long word", "SPECTER_PROXIES", "", []string{"SPECTER_TRUSTED_PROXIES"}},
		{"the closest of several", "SPECTER_BACKUP_KEP", "SPECTER_BACKUP_KEEP", []string{"SPECTER_BACKUP_EVERY", "SPECTER_BACKUP_KEEP"}},
		{"case", "LIST", "list", []string{"list"}},
		{"a short word", "ls", "", []string{"rm", "list"}},
		{"nothing similar", "frobnicate", "", []string{"list", "verify"}},
		{"empty", "", "", []string{"list"}},
		{"no candidates", "list", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Nearest(test.word, test.candidates); got != test.want {
				t.Errorf("Nearest(%q) is %q, want %q", test.word, got, test.want)
			}
		})
	}
}
