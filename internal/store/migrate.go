package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pressly/goose/v3"
)

// migrationSource is the configuration of goose for one engine.
type migrationSource struct {
	dialect goose.Dialect
	files   fs.FS
	options []goose.ProviderOption
}

func newMigrationSource(dialect goose.Dialect, files embed.FS, folder string, options ...goose.ProviderOption) (migrationSource, error) {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		return migrationSource{}, fmt.Errorf("open the migrations: %w", err)
	}
	return migrationSource{dialect: dialect, files: sub, options: slices.Concat(options, []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
	})}, nil
}

func (s *Store) provider() (*goose.Provider, error) { return newProvider(s.engine, s.rw) }

func newProvider(e engine, rw *sql.DB) (*goose.Provider, error) {
	source, err := e.migrations()
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(source.dialect, rw, source.files, source.options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the migrations: %w", err)
	}
	return p, nil
}

// SchemaState has the schema version of a database and the newest one that this program
// supports.
type SchemaState struct {
	Version int64 // of the database; 0 if it has no schema
	Program int64 // the newest version that this program supports
}

// Fresh reports whether the database has no schema yet.
func (s SchemaState) Fresh() bool { return s.Version == 0 }

// Pending reports whether the schema is older than that of this program.
func (s SchemaState) Pending() bool { return s.Version < s.Program }

// Schema returns the state of the schema. It changes nothing, but creates goose's version
// table if it is missing.
func (s *Store) Schema(ctx context.Context) (SchemaState, error) {
	p, err := s.provider()
	if err != nil {
		return SchemaState{}, err
	}
	var state SchemaState
	// GetVersions would create a table in an empty database.
	names, err := texts(ctx, s.rw, s.engine.listTables())
	if err == nil && len(names) == 0 {
		sources := p.ListSources()
		state.Program = sources[len(sources)-1].Version
		return state, nil
	}
	err = retry(ctx, func(int) error {
		state.Version, state.Program, err = p.GetVersions(ctx)
		return err
	})
	if err != nil {
		return SchemaState{}, fmt.Errorf("read the schema's version: %w", err)
	}
	return state, nil
}

// Migrate migrates the schema to the version of this program and makes the store ready
// for use. Before it migrates an existing SQLite database, it makes a backup. It returns
// an error if the schema is newer than the program, or if the database has an incomplete
// restore. On SQLite, the caller must hold the serving lock if migrations are pending.
func (s *Store) Migrate(ctx context.Context) error {
	state, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	if state.Version > state.Program {
		return errNewerSchema(state)
	}
	if !state.Fresh() {
		if err := s.checkRestored(ctx); err != nil {
			return err
		}
	}
	if state.Pending() {
		if err := s.migrateFrom(ctx, state); err != nil {
			return err
		}
	}
	if s.credentials, err = s.engine.credentials(ctx, s.ro); err != nil {
		return err
	}
	s.histories, err = s.engine.histories(s.ro)
	return err
}

func errNewerSchema(state SchemaState) error {
	return fmt.Errorf("the database has schema version %d, but this program supports only up to %d; start the newer specterd that migrated it, or restore the backup made before that migration", state.Version, state.Program)
}

func (s *Store) migrateFrom(ctx context.Context, state SchemaState) error {
	if !state.Fresh() {
		if err := s.engine.backup(ctx, s.rw, state.Version); err != nil {
			return err
		}
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database from schema %d to %d: %w", state.Version, state.Program, err)
	}
	s.log.InfoContext(ctx, "database migrated", "from", state.Version, "to", state.Program)
	return nil
}
