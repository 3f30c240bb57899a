package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// threadsSection is deep pipelines, with and without a second thread for them.
func threadsSection() *section {
	return loadSection("threads", time.Minute, table{
		Title: "Deep pipelines and io-threads",
		Intro: "io-threads is the setting of that name, which both have.",
	}, func(o options) []load {
		set := load{test: "set", size: 64, pipeline: 100, space: o.keys, ready: keys(64)}
		one, both, ours := set, set, set
		one.name = "SET 64 B, one io-thread"
		both.name, both.short, both.bars.throughput = "SET 64 B, two io-threads", true, issue4(atLeast(2.0))
		both.with = settings{redis: "--io-threads 2", bitkv: "--io-threads 2"}
		ours.name, ours.with = "SET 64 B, two io-threads beside Redis with one", settings{bitkv: "--io-threads 2"}
		return []load{one, both, ours}
	})
}

// The rows of the section always.
const alwaysMany, alwaysOne, alwaysShared = "SET 64 B, 50 clients -P 1", "SET 64 B, one client -P 1", "bitkv: 50 clients (base: one)"

// alwaysSection is appendfsync always, where what counts is how many writes share
// one sync.
func alwaysSection() *section {
	return &section{
		name:  "always",
		rows:  []string{alwaysMany, alwaysOne, alwaysShared},
		short: []string{alwaysMany},
		cost:  time.Minute,
		run:   runAlways,
	}
}

func runAlways(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "appendfsync always", Base: "Redis", Ours: "bitkv", Columns: loadColumns(),
		Intro: "Both servers with appendfsync always.",
	}
	with := settings{redis: "--appendfsync always", bitkv: "--appendfsync always"}
	var p *pair
	load50 := load{name: "SET 64 B, 50 clients", test: "set", size: 64, pipeline: 1, space: e.o.keys}
	load1 := load50
	load1.name, load1.clients = "SET 64 B, one client", 1
	load50.bars.throughput = issue4(atLeast(1.1))
	var errs []error
	measure := func(name string, run func(p *pair) (row, error)) {
		if !e.wants(name) || ctx.Err() != nil {
			return
		}
		var r row
		var err error
		if p, err = e.pairFor(ctx, p, with); err == nil {
			r, err = run(p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err), p.stop())
			p = nil
			return
		}
		t.add(r)
	}
	for _, l := range []load{load50, load1} {
		measure(l.rowName(), func(p *pair) (row, error) { return e.runLoad(ctx, p, l) })
	}
	measure(alwaysShared, func(p *pair) (row, error) {
		shared, err := e.manyBesideOne(ctx, p, load1, load50)
		shared.Bars = issue4(atLeast(20))
		return row{Name: alwaysShared, Cells: []cell{shared, {}, {}}}, err
	})
	return t, errors.Join(append(errs, ctx.Err())...)
}

// manyBesideOne compares what our server does for one client and for many, in
// interleaved rounds: how long a sync takes changes from minute to minute.
func (e *env) manyBesideOne(ctx context.Context, p *pair, one, many load) (cell, error) {
	var c cell
	var requests [2]int
	for i, l := range []load{one, many} {
		var err error
		if requests[i], err = e.calibrate(ctx, p, l); err != nil {
			return c, err
		}
	}
	for range e.o.rounds {
		for i, l := range []load{one, many} {
			f, err := e.prepareAndRun(ctx, p, l, 1, requests[i])
			if err != nil {
				return c, err
			}
			to := pick(i == 0, &c.Base, &c.Ours)
			*to = append(*to, f.perSecond)
		}
	}
	return c, nil
}
