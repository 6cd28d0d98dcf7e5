package cli

import (
	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/httpapi"
)

func (p *program) openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI 3.1 specification as JSON", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := httpapi.Describe(httpapi.Routes(httpapi.Options{}), "v1")
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
}
