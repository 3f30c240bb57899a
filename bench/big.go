package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The rows of the section big.
const (
	bigMemory  = "memory, MiB (base: Redis)"
	bigKeydir  = "keydir, bytes a key"
	bigRestart = "restart, seconds until it serves (base: Redis)"
	bigCPU1    = "CPU of SET -P 1, us (base: 100k keys)"
	bigCPU16   = "CPU of SET -P 16, us (base: 100k keys)"
	bigTail    = "p99.9 of GET -P 1, ms (base: 100k keys)"
	redisCPU16 = "Redis: CPU of SET -P 16, us (base: 100k keys)"
	redisTail  = "Redis: p99.9 of GET -P 1, ms (base: 100k keys)"
)

const (
	fewKeys    = 100_000
	tailRounds = 3
)

// bigSection is what ten million keys cost.
func bigSection() *section {
	return &section{
		name: "big",
		rows: []string{bigMemory, bigKeydir, bigRestart, bigCPU1, bigCPU16, bigTail, redisCPU16, redisTail},
		cost: 6 * time.Minute,
		run:  runBig,
	}
}

func runBig(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "Ten million keys", Base: "base", Ours: "measured",
		Intro: "Values of 64 B. Memory (after 10 seconds without work), keydir and restart: keys of 16 to 24 bytes; Redis loads an append-only file that was rewritten just\n" +
			"before, which is the fastest it has. Cost and latency: keys of 16 bytes, beside a server with 100,000 of them.",
		Columns: []column{{}},
	}
	return t, errors.Join(e.bigStatic(ctx, t), e.bigCosts(ctx, t))
}

// bigStatic measures what only needs the data: memory, keydir, restart.
func (e *env) bigStatic(ctx context.Context, t *table) error {
	if !e.wants(bigMemory) && !e.wants(bigKeydir) && !e.wants(bigRestart) {
		return nil
	}
	var mib, seconds cell
	mib.Bars, seconds.Bars = issue4(atMost(0.5)), issue4(atMost(0.3))
	var errs []error
	for _, k := range []kind{redis, bitkv} {
		if err := e.bigOne(ctx, t, k, &mib, &seconds); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k, err)) // the other's figures are worth having
		}
	}
	for _, r := range []row{{Name: bigMemory, Cells: []cell{mib}}, {Name: bigRestart, Cells: []cell{seconds}}} {
		if e.wants(r.Name) && len(r.Cells[0].Base)+len(r.Cells[0].Ours) > 0 {
			t.add(r)
		}
	}
	return errors.Join(errs...)
}

// bigOne fills one server, and adds what it takes to the cells.
func (e *env) bigOne(ctx context.Context, t *table, k kind, mib, seconds *cell) error {
	s, err := e.start(ctx, k)
	if err != nil {
		return err
	}
	e.progress("filling %s with %d keys", k, e.o.bigKeys)
	if err := s.fill(ctx, e.o.bigKeys, appendVaried); err != nil {
		return err
	}
	if err := settle(ctx, s); err != nil {
		return err
	}
	if err := e.idle(ctx); err != nil {
		return err
	}
	m, err := s.memory()
	if err != nil {
		return err
	}
	if k == redis {
		mib.Base = []float64{m.rss / (1 << 20)}
	} else {
		mib.Ours = []float64{m.anonymous / (1 << 20)}
		if err := e.keydir(t, s); err != nil {
			return err
		}
	}
	if e.wants(bigRestart) {
		took, err := e.timeRestarts(ctx, s)
		if err != nil {
			return err
		}
		*pick(k == redis, &seconds.Base, &seconds.Ours) = took
	}
	return s.stop()
}

// keydir asks the server what its keydir holds.
func (e *env) keydir(t *table, s *server) error {
	if !e.wants(bigKeydir) {
		return nil
	}
	text, err := s.info("bitkv", "keydir_bytes_per_key")
	if err != nil {
		return err
	}
	perKey, err := strconv.ParseFloat(text, 64)
	t.add(row{Name: bigKeydir, Cells: []cell{{Ours: []float64{perKey}, Bars: issue4(valueAtMost(64))}}})
	return err
}

// timeRestarts restarts a server, which is to have its data in the shortest form
// it knows, and returns the seconds each start took.
func (e *env) timeRestarts(ctx context.Context, s *server) ([]float64, error) {
	if s.kind == redis {
		if _, err := s.do("BGREWRITEAOF"); err != nil {
			return nil, err
		}
		if err := s.rewritten(ctx); err != nil {
			return nil, err
		}
	}
	var took []float64
	for range min(e.o.rounds, 3) {
		e.progress("restarting %s", s.kind)
		d, err := s.restart(ctx)
		if err != nil {
			return nil, err
		}
		size, err := s.do("DBSIZE")
		if err != nil {
			return nil, err
		}
		if size != strconv.Itoa(e.o.bigKeys) {
			return nil, fmt.Errorf("%s has %s of %d keys after a restart", s.kind, size, e.o.bigKeys)
		}
		took = append(took, d.Seconds())
	}
	return took, nil
}

// rewritten waits for the end of a BGREWRITEAOF.
func (s *server) rewritten(ctx context.Context) error {
	return waitUntil(ctx, 50*time.Millisecond, 5*time.Minute, func() (bool, error) {
		for _, field := range []string{"aof_rewrite_scheduled", "aof_rewrite_in_progress"} {
			if value, err := s.info("persistence", field); err != nil || value != "0" {
				return false, err
			}
		}
		return true, nil
	})
}

// appendVaried sets the i'th of many keys of 16 to 24 bytes to 64 bytes.
func appendVaried(buf []byte, i int) []byte {
	const pad = "........"
	return appendCommand(buf, "SET", fmt.Sprintf("key:%012d%s", i, pad[:i%9]), value64)
}

// bigCosts compares ten million keys with few, in both servers.
func (e *env) bigCosts(ctx context.Context, t *table) error {
	rows := []struct {
		name string
		kind kind
		load load
		cpu  bool // otherwise the tail of the latency
		bars []bar
	}{
		{bigCPU1, bitkv, load{test: "set", pipeline: 1, size: 64}, true, nil},
		{bigCPU16, bitkv, load{test: "set", pipeline: 16, size: 64}, true, issue4(atMost(1.5))},
		{bigTail, bitkv, load{test: "get", pipeline: 1, size: 64}, false, issue4(atMost(2))},
		{redisCPU16, redis, load{test: "set", pipeline: 16, size: 64}, true, nil},
		{redisTail, redis, load{test: "get", pipeline: 1, size: 64}, false, nil},
	}
	var errs []error
	servers := map[kind][]*server{} // with few keys, with many
	for _, r := range rows {
		if !e.wants(r.name) {
			continue
		}
		if servers[r.kind] == nil {
			var err error
			if servers[r.kind], err = e.fewAndMany(ctx, r.kind); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
		c, err := e.compareCosts(ctx, servers[r.kind], r.load, r.cpu)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.name, err))
			continue
		}
		c.Bars = r.bars
		e.progress("%s: %.2f of the base", r.name, c.ratio())
		r.load.space = e.o.bigKeys
		t.add(row{Name: r.name, Command: "redis-benchmark " + quoted(r.load.args(6379, 1_000_000)), Cells: []cell{c}})
	}
	return errors.Join(errs...)
}

// fewAndMany starts two servers and fills them.
func (e *env) fewAndMany(ctx context.Context, k kind) ([]*server, error) {
	var out []*server
	for _, n := range []int{fewKeys, e.o.bigKeys} {
		s, err := e.start(ctx, k)
		if err != nil {
			return nil, err
		}
		e.progress("filling %s with %d keys", k, n)
		o := e.o
		o.keys = n
		if err := keys(64).build(ctx, o, s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// compareCosts measures a load on the server with few keys and on that with many,
// in interleaved rounds: three times as many where it is about the tail of the latency,
// for that is made of a few moments of a run.
func (e *env) compareCosts(ctx context.Context, fewMany []*server, l load, cpu bool) (cell, error) {
	var c cell
	rounds := e.o.rounds
	if !cpu {
		rounds *= tailRounds
	}
	for range rounds {
		for i, space := range []int{fewKeys, e.o.bigKeys} {
			l.space = space
			f, err := e.costOf(ctx, fewMany[i], l, cpu)
			if err != nil {
				return c, err
			}
			to := pick(i == 0, &c.Base, &c.Ours)
			*to = append(*to, f)
		}
	}
	return c, nil
}

// costOf is the processor time per operation in microseconds, or the latency in
// milliseconds that 99.9% of the requests do not exceed.
func (e *env) costOf(ctx context.Context, s *server, l load, cpu bool) (float64, error) {
	if err := settle(ctx, s); err != nil {
		return 0, err
	}
	probe, err := l.run(ctx, e.o, s, l.clientCount()*l.pipeline*100)
	if err != nil {
		return 0, err
	}
	requests := requestsFor(probe.perSecond, e.o.duration.Seconds(), l.clientCount()*l.pipeline)
	if cpu {
		f, err := l.run(ctx, e.o, s, requests)
		return f.cpuMicros, err
	}
	out, err := redisBenchmark(ctx, l.args(s.port, requests))
	if err != nil {
		return 0, err
	}
	return parseDistribution(out, 0.999)
}
