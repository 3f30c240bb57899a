// Bench measures this server beside redis-server, on the same machine in turn:
// both run, one of them is loaded, then the other, for several rounds, and the
// medians are printed with their ratio and with the bar they have to meet.
//
//	go run ./bench -server bin/bitkv-redis                         # the most telling rows, under 5 minutes
//	go run ./bench -server bin/bitkv-redis -full                   # every row
//	go run ./bench -server bin/bitkv-redis -only lpush,rpop        # these rows only
//	go run ./bench -server bin/bitkv-redis -only 'collections 16' -rounds 5
//	go run ./bench -list                                           # the names of all rows
//
// A measurement passes or fails nothing: a bar that is missed is printed as such.
// The exit code is 1 when something could not be measured. What could be measured
// is reported all the same. The servers that were started are ended and the
// directories made are removed, whatever happens.
//
// # The parts
//
// A section is a part of the benchmark with rows, a table and, often, servers of
// its own (section.go says how to write one, and lists them). A row has cells,
// one for each column of its table; a cell has the figures of each round for both
// sides and the bars they have to meet (result.go). With -write the results go to
// docs/benchmarks.md, with plots (report.go, plot.go), and to a JSON file beside
// them (store.go): a later run of some rows replaces these rows only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	server   string        // our binary
	args     string        // more arguments for it
	redis    string        // redis-server
	full     bool          // every row, more and longer rounds
	list     bool          // only print the names of the rows
	write    string        // the file to write the results to, or empty
	keys     int           // the key space of the loads on single keys
	bigKeys  int           // the key space where ten million keys are asked for
	rounds   int           // 0 means by full
	duration time.Duration // how long one run should take; 0 means by full
	only     string        // the rows to run, or empty
	limit    time.Duration // 0 means by full
	scratch  string        // where the data directories go
	// port chooses one for a server; nil means any that is free.
	port func() (int, error)
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.server, "server", "bin/bitkv-redis", "our `binary`")
	flag.StringVar(&o.args, "args", "", "more `arguments` for it, separated by spaces")
	flag.StringVar(&o.redis, "redis", "redis-server", "the redis-server `binary`")
	flag.BoolVar(&o.full, "full", false, "every row, in more and longer rounds")
	flag.BoolVar(&o.list, "list", false, "print the names of the rows and stop")
	flag.StringVar(&o.write, "write", "", "also write the results to this markdown `file`, with plots beside it")
	flag.IntVar(&o.keys, "keys", 1_000_000, "the `number` of keys")
	flag.IntVar(&o.bigKeys, "big-keys", 10_000_000, "the `number` of keys of the section big")
	flag.IntVar(&o.rounds, "rounds", 0, "the `number` of rounds (3, with -full 5)")
	flag.DurationVar(&o.duration, "duration", 0, "the `time` of one run (600ms, with -full 1.5s)")
	flag.StringVar(&o.only, "only", "", "run only the rows that have every word of one of these `names`, separated by commas")
	flag.DurationVar(&o.limit, "limit", 0, "stop after this `time` (10m, with -full 3h)")
	flag.StringVar(&o.scratch, "scratch", "", "`directory` for the data (default: a temporary one)")
	flag.Parse()
	if o.rounds == 0 {
		o.rounds = pick(o.full, 5, 3)
	}
	if o.duration == 0 {
		o.duration = pick(o.full, 1500*time.Millisecond, 600*time.Millisecond)
	}
	if o.limit == 0 {
		o.limit = pick(o.full, 3*time.Hour, 10*time.Minute)
	}
	return o
}

func main() {
	o := parseFlags()
	if o.list {
		for _, s := range sections() {
			for _, row := range s.rows {
				fmt.Printf("%s%s: %s\n", pick(s.isShort(row), "* ", "  "), s.name, row)
			}
		}
		fmt.Println("rows with a star are in the short form")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

// bench runs the sections and prints the report. Its error says what could not
// be measured.
func bench(ctx context.Context, o options) (err error) {
	if o.server, err = filepath.Abs(o.server); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.scratch, "bitkv-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	all := sections()
	now := &results{Machine: machineInfo(ctx, o)}
	whole := &results{} // with what earlier runs have written
	if o.write != "" {
		if whole, err = readResults(o.write); err != nil {
			return err
		}
	}
	whole.Machine = now.Machine
	at := measured(ctx)
	err = runSections(ctx, o, dir, all, func(t *table) error {
		for i := range t.Rows {
			t.Rows[i].Measured = at
		}
		now.Tables = append(now.Tables, t)
		if o.write == "" {
			return nil
		}
		merged := *t // keeps old rows, which are none of this run's
		whole.merge(&merged, all)
		return whole.write(o.write) // after each section: what is measured is not lost
	})
	fmt.Print(now.text())
	return err
}

// words splits a name into lower-case words.
func words(s string) []string {
	return strings.Fields(strings.ToLower(s))
}
