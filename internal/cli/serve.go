package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the API and the web console until stopped (Ctrl-C or SIGTERM)", Args: cobra.NoArgs,
		Long: `Serve the API and the web console until stopped (Ctrl-C or SIGTERM).

SIGHUP reloads the certificate. SIGUSR1 switches the log level between debug and the
configured level.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.getenv("GOGC") == "" {
				app.TuneGC()
			}
			a, err := p.newApp(cmd.Flags(), true)
			if err != nil {
				return err
			}
			if err := a.Open(cmd.Context(), app.Serving); err != nil {
				return err
			}
			err = a.Serve(cmd.Context(), func(url string) {
				fmt.Fprintf(p.stdout, "specterd listens on %s\n", url)
			})
			return errors.Join(err, a.Close())
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}
