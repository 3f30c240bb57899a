package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The section merge: values of 1 KiB are overwritten, each key as likely as any
// other, at a steady rate, so long that every file is merged several times. What
// the files take is compared with the live records, and what a GET and a SET take
// while a merge runs with what they take, under the same load, while none does.

const (
	mergeValueBytes = 1 << 10
	mergePerSecond  = 25 << 20 / mergeValueBytes // values
	mergeTick       = 2 * time.Millisecond
	mergeTurns      = 3 // how many times the size of the data is written
	mergeProbe      = time.Millisecond
	mergeSample     = 100 * time.Millisecond
)

const mergeOverwrite = "overwriting 25 MiB/s"

func mergeSection() *section {
	return &section{
		name: "merge",
		rows: []string{mergeOverwrite},
		cost: 3 * time.Minute,
		run:  runMerge,
	}
}

func runMerge(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "Merging", Base: "no merge runs", Ours: "merge runs",
		Intro: fmt.Sprintf("%d values of 1 KiB, overwritten at random at a steady rate until %d times their size is written. One client sends a GET and one\n"+
			"a SET every millisecond beside it: their times while a merge runs, and while none does. Space is what the directory takes,\n"+
			"room that is reserved included, to the live records: the most that was seen, and the mean of the second half.",
			e.o.keys, mergeTurns),
		Columns: []column{{"p99 of GET", "ms"}, {"p99 of SET", "ms"}, {"space, most", "x"}, {"space, mean", "x"}, {"time merging", "%"}},
	}
	s, err := e.start(ctx, bitkv)
	if err != nil {
		return t, err
	}
	e.progress("%s: filling %d keys", mergeOverwrite, e.o.keys)
	if err := s.fill(ctx, e.o.keys, setOf(mergeValueBytes)); err != nil {
		return t, err
	}
	if err := settle(ctx, s); err != nil {
		return t, err
	}
	e.progress("%s", mergeOverwrite)
	seen, err := s.overwrite(ctx, e.o.keys, mergeTurns*e.o.keys)
	if err != nil {
		return t, err
	}
	bars := func(b bar) []bar {
		b.Source = "issue 4"
		return []bar{b}
	}
	r := row{Name: mergeOverwrite, Cells: []cell{
		{Base: p99Of(seen.get[0]), Ours: p99Of(seen.get[1]), Bars: bars(atMost(2))},
		{Base: p99Of(seen.set[0]), Ours: p99Of(seen.set[1]), Bars: bars(atMost(2))},
		{Ours: []float64{slices.Max(seen.space)}, Bars: bars(valueAtMost(1.6))},
		{Ours: []float64{mean(seen.space[len(seen.space)/2:])}},
		{Ours: []float64{100 * seen.merging}},
	}}
	if len(seen.get[0]) == 0 || len(seen.get[1]) == 0 {
		return t, errors.New("a merge ran all the time, or never")
	}
	if seen.perSecond < 0.95*mergePerSecond {
		return t, fmt.Errorf("%.0f values a second were overwritten instead of %d: that is another load", seen.perSecond, mergePerSecond)
	}
	t.add(r)
	return t, nil
}

func p99Of(figures []float64) []float64 { return []float64{percentile(figures, 0.99)} }

func mean(figures []float64) float64 {
	var sum float64
	for _, f := range figures {
		sum += f
	}
	return sum / float64(len(figures))
}

// overwritten is what was seen while values were overwritten.
type overwritten struct {
	get, set [2][]float64 // milliseconds while no merge ran, and while one did
	space    []float64    // the directory's size to that of the live records
	merging  float64      // share of the time
	// perSecond is how many values were overwritten.
	perSecond float64
}

// overwrite overwrites n values of the keys, and watches.
func (s *server) overwrite(ctx context.Context, keys, n int) (*overwritten, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var merging atomic.Bool
	out := &overwritten{}
	workers := []func() error{
		func() error { return s.probe(ctx, keys, &merging, &out.get, "GET") },
		func() error {
			return s.probe(ctx, keys, &merging, &out.set, "SET", strings.Repeat("p", mergeValueBytes))
		},
		func() error { return s.watchSpace(ctx, &merging, out) },
	}
	ended := make(chan error, len(workers))
	for _, w := range workers {
		go func() { ended <- w() }()
	}
	var err error
	out.perSecond, err = s.writeSteadily(ctx, keys, n)
	cancel()
	for range workers {
		err = errors.Join(err, <-ended)
	}
	if err == nil && len(out.space) == 0 {
		err = errors.New("it was over before anything was seen")
	}
	return out, err
}

// writeSteadily overwrites n values at mergePerSecond, or slower if the server does not
// keep up, and returns how many a second.
func (s *server) writeSteadily(ctx context.Context, keys, n int) (perSecond float64, err error) {
	c, err := s.dial()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	rnd := rand.New(rand.NewPCG(3, 4))
	value := strings.Repeat("v", mergeValueBytes)
	begin := time.Now()
	for sent := 0; sent < n; {
		due := min(n, int(mergePerSecond*time.Since(begin).Seconds()))
		batch := min(due-sent, 1000)
		c.buf = c.buf[:0]
		for range batch {
			c.buf = appendCommand(c.buf, "SET", mergeKey(rnd.IntN(keys)), value)
		}
		if err := c.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
			return 0, err
		}
		if _, err := c.Write(c.buf); err != nil {
			return 0, err
		}
		for range batch {
			if _, err := c.reply(0); err != nil {
				return 0, err
			}
		}
		if sent += batch; sent == due {
			wait(ctx, mergeTick)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

func mergeKey(i int) string { return fmt.Sprintf("key:%012d", i) }

// probe sends a command for a random key every mergeProbe until the context is
// done, and notes how many milliseconds it took, as pings does.
func (s *server) probe(ctx context.Context, keys int, merging *atomic.Bool, to *[2][]float64, name string, args ...string) (err error) {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	rnd := rand.New(rand.NewPCG(5, uint64(len(args))))
	command := append([]string{name, ""}, args...)
	for due := time.Now(); ctx.Err() == nil; due = due.Add(mergeProbe) {
		begin := due
		if d := time.Until(due); d > 0 {
			time.Sleep(d)
			begin = time.Now() // what our own timer is late is not the server's
		}
		command[1] = mergeKey(rnd.IntN(keys))
		phase := pick(merging.Load(), 1, 0)
		if _, err := c.do(command...); err != nil {
			return err
		}
		to[phase] = append(to[phase], time.Since(begin).Seconds()*1000)
	}
	return nil
}

// watchSpace looks, until the context is done, whether a merge runs and what the
// files take.
func (s *server) watchSpace(ctx context.Context, merging *atomic.Bool, out *overwritten) (err error) {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	running, samples := 0, 0
	for ; ctx.Err() == nil; wait(ctx, mergeSample) {
		text, err := c.do("INFO", "bitkv")
		if err != nil {
			return err
		}
		value, _ := infoField(text, "live_bytes")
		live, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("INFO: live_bytes: %w", err)
		}
		value, _ = infoField(text, "merge_running")
		now := value == "1"
		merging.Store(now)
		running += pick(now, 1, 0)
		samples++
		disk, err := s.disk()
		if err != nil {
			return err
		}
		out.space = append(out.space, disk/float64(live))
	}
	out.merging = float64(running) / float64(samples)
	return nil
}
