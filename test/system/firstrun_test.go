package system

import (
	"regexp"
	"strings"
	"testing"
)

var setupCode = regexp.MustCompile(`"setup_code":"([A-Z2-7]{26})"`)

// TestSetupCode checks that the server logs a setup code exactly if a client on another
// machine could set the password of the first admin, and another one at each start.
func TestSetupCode(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		logs     bool
	}{
		"loopback":          {[]string{"SPECTER_ADMIN_PASSWORD="}, false},
		"trusted proxies":   {[]string{"SPECTER_ADMIN_PASSWORD=", "SPECTER_TRUSTED_PROXIES=10.0.0.0/8"}, true},
		"allowed hosts":     {[]string{"SPECTER_ADMIN_PASSWORD=", "SPECTER_ALLOWED_HOSTS=pay.example"}, true},
		"a public origin":   {[]string{"SPECTER_ADMIN_PASSWORD=", "SPECTER_PUBLIC_ORIGIN=https://pay.example"}, true},
		"password set":      {[]string{"SPECTER_ALLOWED_HOSTS=pay.example"}, false},
		"without a console": {[]string{"SPECTER_ADMIN_PASSWORD=", "SPECTER_ALLOWED_HOSTS=pay.example", "SPECTER_CONSOLE=off"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			codes := map[string]bool{}
			for range 2 {
				s := startServer(t, dir, c.settings...)
				found := setupCode.FindAllStringSubmatch(s.log.String(), -1)
				if len(found) != map[bool]int{true: 1}[c.logs] || len(found) == 0 && strings.Contains(s.log.String(), "setup code") {
					t.Errorf("the log has the codes %v:\n%s", found, s.log)
				}
				for _, f := range found {
					codes[f[1]] = true
				}
				s.kill()
			}
			if c.logs && len(codes) != 2 {
				t.Errorf("two starts logged %v", codes)
			}
		})
	}
}
