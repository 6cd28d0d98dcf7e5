// Command bench compares specterd with a bare net/http server on the same machine,
// and prints each result with its target. The bare server gets the same requests and
// writes the same number of bytes, headers included. `make bench` runs it.
//
// Specterd, bare server and load generator are separate processes. Specterd is built
// as by `make build` and has the default settings, except that the API is on and the
// log goes to a file. The generator keeps connections alive and checks every
// response. The two sides of a comparison alternate in rounds, in forward and
// reverse order, and the median of the ratios of all rounds counts; their range
// shows the noise. If generator and server share the processors, the work of the
// generator moves the ratio of requests towards 1. The ratio of the CPU times of the
// servers per request does not have this error and is stricter.
//
// Time and memory measurements have a table for each section: wallets with generated
// histories from 1,000 to 100,000 transactions, each in a separate database; exports
// compared with a program that reads the same rows with one query and writes the
// same number of prepared bytes; a first sync compared with the bare calls to the
// node; and specterd with a node on a private chain, with 200 wallets or few. Only
// the first sync runs in this process, assembled as in specterd but without HTTP.
//
// The exit status is 1 after an error such as an unexpected response, and if a target is
// missed on a machine that was quiet before. On a busy machine, a missed target is only
// reported.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // this is main
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// clock is the clock of all measurements.
var clock = time.Now //nolint:forbidigo // measuring is what this program is for

// run is the program, or one of the processes that the program starts from its own
// executable.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "bare":
			return serveBare(ctx, args[1:], stdout)
		case "bare-export":
			return serveBareExport(ctx, args[1:], stdout)
		case "load":
			return generateLoad(ctx, stdin, stdout)
		case "steps":
			return printSteps(ctx, stdout)
		}
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	return measure(ctx, o, stdout)
}

type options struct {
	rounds      int
	roundTime   time.Duration
	connections int
	only        *regexp.Regexp
	postgres    bool
}

const usage = `Usage: bench [flags]

Measures specterd, mostly against bare programs, and prints figures beside their
goals. It ends with 1 when something broke, and when a goal is missed on a machine that
was quiet before.

`

func parseOptions(args []string) (options, error) {
	o := options{only: regexp.MustCompile("")}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.Usage = func() {
		_, _ = io.WriteString(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.IntVar(&o.rounds, "rounds", 7, "`number` of rounds on each side of a comparison")
	flags.DurationVar(&o.roundTime, "round-time", 2*time.Second, "how long a round takes")
	flags.IntVar(&o.connections, "connections", 64, "`number` of connections, one request at a time on each")
	flags.Func("only", "measure only what matches this `regexp`: "+allNames(false), func(text string) (err error) {
		o.only, err = regexp.Compile(text)
		return err
	})
	flags.BoolVar(&o.postgres, "postgres", false, "use PostgreSQL, with goals that are for SQLite; for "+allNames(true))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%s is no flag", strconv.Quote(flags.Arg(0)))
	case o.rounds < 1, o.connections < 1, o.roundTime <= 0:
		return o, fmt.Errorf("rounds, round-time and connections have to be above zero")
	}
	return o, nil
}
