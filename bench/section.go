package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is one part of the benchmark. To add one, write a function that returns
// it, in a file of its own, and name it in sections below:
//
//	func coldSection() *section {
//		return &section{
//			name: "cold",
//			rows: []string{"GET uniform random, data 5x memory", "PING beside it"},
//			cost: 2 * time.Minute,
//			run:  runCold,
//		}
//	}
//
//	func runCold(ctx context.Context, e *env) (*table, error) {
//		t := &table{Title: "Larger than memory", Base: "pread", Ours: "bitkv",
//			Columns: []column{{Name: "throughput", Unit: "op/s"}}}
//		s, err := e.start(ctx, bitkv, "--maxmemory", "100mb")
//		...
//		if e.wants("GET uniform random, data 5x memory") {
//			t.add(row{Name: ..., Cells: []cell{{Base: pread, Ours: ops, Bars: []bar{atLeast(0.7)}}}})
//		}
//		return t, nil
//	}
//
// What run started with e.start is ended for it, and e.dir is removed.
type section struct {
	name  string
	rows  []string      // the names of its rows: what -list shows and -only selects from
	short []string      // those that belong to the short form
	cost  time.Duration // about how long all the rows take with -full, for the time to go
	sized bool          // the cost goes with the number and the length of the rounds
	// run measures the rows that e.wants and returns their table. With an error it
	// returns those rows that could be measured.
	run func(ctx context.Context, e *env) (*table, error)
}

// sections are the parts of the benchmark in the order of the report.
func sections() []*section {
	return []*section{
		stringsSection(),
		collectionsSection(),
		threadsSection(),
		alwaysSection(),
		memorySection(),
		latencySection(),
		bigSection(),
		coldSection(),
		cacheSection(),
		mergeSection(),
	}
}

func (s *section) isShort(row string) bool { return slices.Contains(s.short, row) }

// selected returns the rows of the section that these options ask for.
func (s *section) selected(o options) []string {
	var out []string
	for _, row := range s.rows {
		if o.only == "" && (o.full || s.isShort(row)) || o.only != "" && matches(o.only, s.name+" "+row) {
			out = append(out, row)
		}
	}
	return out
}

// matches reports whether the name has every word of one of the comma-separated
// terms. The beginning of a word is enough: lrange is LRANGE_100, set is not HSET.
// A number stands for itself: 1 is not 16.
func matches(terms, name string) bool {
	have := words(name)
	for term := range strings.SplitSeq(terms, ",") {
		all := strings.TrimSpace(term) != ""
		for _, word := range words(term) {
			_, notNumber := strconv.Atoi(word)
			all = all && slices.ContainsFunc(have, func(h string) bool {
				return h == word || notNumber != nil && strings.HasPrefix(h, word)
			})
		}
		if all {
			return true
		}
	}
	return false
}

// env is what a section works with.
type env struct {
	o       options
	dir     string // an empty directory, removed after the section
	rows    []string
	clock   *clock
	servers []*server
	started int // how many servers were started: their directories' names
}

// wants reports whether the row is to be measured.
func (e *env) wants(row string) bool { return slices.Contains(e.rows, row) }

// progress says on stderr what is going on, with the time that is left.
func (e *env) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", e.clock, fmt.Sprintf(format, args...))
}

// start starts a server of the kind on a free port and in a directory of its own,
// and returns when it answers. It is ended with the section, or by its stop.
// The arguments come after those that every server gets, and override them.
func (e *env) start(ctx context.Context, k kind, args ...string) (*server, error) {
	e.started++
	s, err := startServer(ctx, e.o, k, filepath.Join(e.dir, fmt.Sprintf("%s%d", k, e.started)), args...)
	if err != nil {
		return nil, err
	}
	e.servers = append(e.servers, s)
	return s, nil
}

// startPair starts redis-server and our server, in this order.
func (e *env) startPair(ctx context.Context, with settings) ([2]*server, error) {
	first, err := e.start(ctx, redis, strings.Fields(with.redis)...)
	if err != nil {
		return [2]*server{}, err
	}
	second, err := e.start(ctx, bitkv, strings.Fields(with.bitkv)...)
	if err != nil {
		return [2]*server{}, errors.Join(err, first.stop())
	}
	return [2]*server{first, second}, nil
}

// close ends what is still running and removes the data.
func (e *env) close() error {
	var err error
	for _, s := range e.servers {
		err = errors.Join(err, s.stop())
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// runSections runs what the options select, and hands every section's table to
// done. An error of one section does not keep the others from running.
func runSections(ctx context.Context, o options, dir string, all []*section, done func(*table) error) error {
	var (
		todo []*section
		errs []error
		c    = &clock{begun: time.Now(), now: time.Now}
	)
	for _, s := range all {
		if len(s.selected(o)) > 0 {
			todo = append(todo, s)
			c.total += s.estimate(o)
		}
	}
	if len(todo) == 0 {
		return fmt.Errorf("no row is called %q; -list prints their names", o.only)
	}
	for _, s := range todo {
		if ctx.Err() != nil {
			errs = append(errs, fmt.Errorf("%s: not run: %w", s.name, context.Cause(ctx)))
			continue
		}
		t, err := s.measure(ctx, o, filepath.Join(dir, s.name), c)
		if err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		errs = append(errs, err)
		if t != nil {
			t.Section = s.name
			errs = append(errs, t.complete(), done(t))
		}
		c.finish(s.estimate(o))
	}
	return errors.Join(errs...)
}

// complete reports rows that do not fit their table: a bug of the section's.
func (t *table) complete() error {
	var err error
	t.Rows = slices.DeleteFunc(t.Rows, func(r row) bool {
		if len(r.Cells) != len(t.Columns) {
			err = errors.Join(err, fmt.Errorf("%s: %s has %d cells for %d columns", t.Section, r.Name, len(r.Cells), len(t.Columns)))
		}
		return len(r.Cells) != len(t.Columns)
	})
	return err
}

// measure runs one section in an environment of its own.
func (s *section) measure(ctx context.Context, o options, dir string, c *clock) (t *table, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	e := &env{o: o, dir: dir, rows: s.selected(o), clock: c}
	defer func() { err = errors.Join(err, e.close()) }()
	c.section = s.name
	return s.run(ctx, e)
}

// estimate is about how long the section takes with these options.
func (s *section) estimate(o options) time.Duration {
	cost := float64(s.cost) * float64(len(s.selected(o))) / float64(len(s.rows))
	if s.sized {
		full := float64(5 * 1500 * time.Millisecond) // rounds and duration of -full
		cost *= float64(o.rounds) * float64(o.duration) / full
	}
	return time.Duration(cost)
}

// clock knows how much of the work is done. It shows as a prefix of a line of
// progress.
type clock struct {
	begun   time.Time
	now     func() time.Time
	total   time.Duration // what all sections were estimated to take
	done    time.Duration // of that, what is finished
	doneAt  time.Duration // when it was finished, since begun
	section string
}

func (c *clock) finish(estimate time.Duration) {
	c.done += estimate
	c.doneAt = c.now().Sub(c.begun)
}

// left is the time to go: the estimate of what is not finished, corrected by how
// the finished part compares with its own estimate.
func (c *clock) left() time.Duration {
	elapsed := c.now().Sub(c.begun)
	pace := 1.0
	if c.done > 0 {
		pace = float64(c.doneAt) / float64(c.done)
	}
	return max(0, time.Duration(float64(c.total-c.done)*pace)-(elapsed-c.doneAt))
}

func (c *clock) String() string {
	return fmt.Sprintf("[%s, %s to go] %s:", c.now().Sub(c.begun).Round(time.Second), c.left().Round(time.Second), c.section)
}
