// Bench measures this server beside redis-server, on the same machine in turn:
// both run, one of them is loaded by redis-benchmark, then the other, for
// several rounds, and the medians are printed with their ratio.
//
//	go run ./bench -server bin/bitkv-redis            # a few minutes
//	go run ./bench -server bin/bitkv-redis -full      # longer, and steadier
//
// Nothing here passes or fails; it prints what it saw. It stops by itself, and
// ends the servers it started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	server  string        // our binary
	args    string        // more arguments for it
	redis   string        // redis-server
	full    bool          // more rounds of more requests
	write   string        // where to write the results as well, or empty
	keys    int           // the key space, loaded before the measurements
	rounds  int           // 0 means by full
	only    string        // a part of a load's name, or empty
	limit   time.Duration // 0 means by full
	scratch string        // where the data directories go
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "bin/bitkv-redis", "our `binary`")
	flag.StringVar(&o.args, "args", "", "more `arguments` for it, separated by spaces")
	flag.StringVar(&o.redis, "redis", "redis-server", "the redis-server `binary`")
	flag.BoolVar(&o.full, "full", false, "more rounds, more requests")
	flag.StringVar(&o.write, "write", "", "also write the results to this `file`")
	flag.IntVar(&o.keys, "keys", 1_000_000, "the `number` of keys")
	flag.IntVar(&o.rounds, "rounds", 0, "the `number` of rounds (3, with -full 7)")
	flag.StringVar(&o.only, "only", "", "run only loads whose name contains this `text`")
	flag.DurationVar(&o.limit, "limit", 0, "stop after this `time` (10m, with -full 60m)")
	flag.StringVar(&o.scratch, "scratch", "", "`directory` for the data (default: a temporary one)")
	flag.Parse()
	if o.rounds == 0 {
		o.rounds = pick(o.full, 7, 3)
	}
	if o.limit == 0 {
		o.limit = pick(o.full, time.Hour, 10*time.Minute)
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

// bench runs every phase and prints the report.
func bench(ctx context.Context, o options) (err error) {
	if o.server, err = filepath.Abs(o.server); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.scratch, "bitkv-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &report{o: o, machine: machineInfo(ctx, o)}
	for _, size := range []int{64, 1024} {
		if err := phase(ctx, o, dir, size, r); err != nil {
			return err
		}
	}
	text := r.markdown()
	fmt.Print(text)
	if o.write == "" {
		return nil
	}
	return os.WriteFile(o.write, []byte(text), 0o644)
}

// phase measures everything with values of one size, on fresh servers.
func phase(ctx context.Context, o options, dir string, size int, r *report) (err error) {
	servers, err := startBoth(ctx, o, filepath.Join(dir, fmt.Sprint(size)))
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
	}()
	if err != nil {
		return err
	}
	for i, s := range servers {
		progress("loading %d keys of %d bytes into %s", o.keys, size, s.name)
		if err := s.load(ctx, o.keys, size); err != nil {
			return err
		}
		m, err := s.memory()
		if err != nil {
			return err
		}
		r.memory[i] = append(r.memory[i], memoryRow{size, m})
	}
	for _, l := range loads(o, size) {
		row := &loadRow{load: l}
		for round := range o.rounds {
			for i := range servers {
				i = (i + round) % len(servers) // who goes first changes
				progress("%s, round %d of %d: %s", l.name(), round+1, o.rounds, servers[i].name)
				m, err := l.run(ctx, o, servers[i])
				if err != nil {
					return err
				}
				row.runs[i] = append(row.runs[i], m)
			}
		}
		r.rows = append(r.rows, row)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
