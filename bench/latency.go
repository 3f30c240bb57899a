package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// removal is a way to get rid of a collection of a million elements at once.
type removal struct {
	name string
	do   func(s *server, key string) error
}

func removals() []removal {
	return []removal{
		{"DEL", func(s *server, key string) error {
			_, err := s.do("DEL", key)
			return err
		}},
		{"expiry", func(s *server, key string) error {
			_, err := s.do("PEXPIRE", key, "1")
			return err
		}},
		{"SET over", func(s *server, key string) error {
			_, err := s.do("SET", key, "x")
			return err
		}},
	}
}

// window is how long after a removal a PING counts as beside it, and pingEvery
// how often one is sent.
const window, pingEvery = time.Second, time.Millisecond

// latencySection is how long other clients wait while something large goes away.
func latencySection() *section {
	s := &section{name: "latency", cost: 4 * time.Minute, run: runLatency}
	s.rows = []string{"PING alone"}
	for _, c := range []collection{list, set, hash, zset} {
		for _, r := range removals() {
			s.rows = append(s.rows, removalName(r, c))
		}
	}
	s.short = []string{removalName(removals()[0], hash)}
	return s
}

func removalName(r removal, c collection) string {
	return fmt.Sprintf("PING beside %s of a %s of 1M", r.name, c.name)
}

func runLatency(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "Other clients while a million elements go away", Base: "Redis", Ours: "bitkv",
		Intro: "One client sends a PING every millisecond; the figures are of the second that begins with the removal. A PING that could not be\n" +
			"sent in time, because the one before it had no reply yet, counts from when it should have been sent.",
		Columns: []column{{"p99", "ms"}, {"longest", "ms"}},
	}
	var p *pair
	var errs []error
	measure := func(name string, prepare, remove func(context.Context, *server) error, bars []bar) {
		if !e.wants(name) || ctx.Err() != nil {
			return
		}
		r := row{Name: name, Cells: []cell{{Bars: bars}, {}}}
		var err error
		if p, err = e.pairFor(ctx, p, settings{}); err == nil {
			err = e.pingBeside(ctx, p.servers, &r, prepare, remove)
		}
		if err != nil {
			// The next rows get new servers: nobody knows what state these are in.
			errs = append(errs, fmt.Errorf("%s: %w", name, err), p.stop())
			p = nil
			return
		}
		t.add(r)
		e.progress("%s: p99 %.2f ms", name, median(r.Cells[0].Ours))
	}
	nothing := func(context.Context, *server) error { return nil }
	measure("PING alone", nothing, nothing, nil)
	most := valueAtMost(5)
	most.Source = "issue 3"
	for _, c := range []collection{list, set, hash, zset} {
		for _, r := range removals() {
			fill := func(ctx context.Context, s *server) error { return c.fill(ctx, s, 1_000_000) }
			measure(removalName(r, c), fill, func(_ context.Context, s *server) error { return r.do(s, c.key) }, []bar{most})
		}
	}
	return t, errors.Join(append(errs, ctx.Err())...)
}

// pingBeside measures one row, in at most three rounds: filling takes long.
func (e *env) pingBeside(ctx context.Context, pair [2]*server, r *row, prepare, remove func(context.Context, *server) error) error {
	for range min(e.o.rounds, 3) {
		for i, s := range pair {
			if err := prepare(ctx, s); err != nil {
				return err
			}
			if err := settle(ctx, pair[:]...); err != nil {
				return err
			}
			pings, err := s.pingWhile(ctx, func() error { return remove(ctx, s) })
			if err != nil {
				return err
			}
			for c, figure := range []float64{percentile(pings, 0.99), slices.Max(pings)} {
				if i == 0 {
					r.Cells[c].Base = append(r.Cells[c].Base, figure)
				} else {
					r.Cells[c].Ours = append(r.Cells[c].Ours, figure)
				}
			}
		}
	}
	return nil
}

// pingWhile starts what with the window, and returns how many milliseconds each
// PING of the window took.
func (s *server) pingWhile(ctx context.Context, what func() error) (_ []float64, err error) {
	c, err := s.dial()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.do("PING"); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- what() }()
	pings, err := c.pings(ctx, window)
	return pings, errors.Join(err, <-ended)
}

// pings sends a PING every pingEvery for a time, and returns how many
// milliseconds each took.
func (c *conn) pings(ctx context.Context, d time.Duration) ([]float64, error) {
	var out []float64
	for due, end := time.Now(), time.Now().Add(d); due.Before(end) && ctx.Err() == nil; due = due.Add(pingEvery) {
		begin := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			begin = time.Now() // what our own timer is late is not the server's
		}
		if _, err := c.do("PING"); err != nil {
			return out, err
		}
		out = append(out, time.Since(begin).Seconds()*1000)
	}
	return out, ctx.Err()
}
