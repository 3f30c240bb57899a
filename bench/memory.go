package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// shape is data whose room in memory is measured.
type shape struct {
	name  string
	short bool
	bars  []bar
	fixture
}

func memoryShapes() []shape {
	issue3 := func(limit float64) []bar {
		return []bar{{Of: ofRatio, Limit: limit, Source: "issue 3"}}
	}
	collectionOf := func(c collection) fixture {
		return fixture{build: func(ctx context.Context, o options, s *server) error { return c.fill(ctx, s, o.keys) }}
	}
	wide := hash
	wide.element = func(i int) []string { return []string{element(i), value100} }
	return []shape{
		{"1M keys, values of 64 B", false, nil, *keys(64)},
		{"1M keys, values of 1 KiB", true, issue4(atMost(0.10)), *keys(1024)},
		{"hash of 1M fields, values of 100 B", true, issue3(0.7), collectionOf(wide)},
		{"sorted set of 1M members", false, issue3(1.2), collectionOf(zset)},
		{"set of 1M members", false, nil, collectionOf(set)},
		{"list of 1M elements of 64 B", false, nil, collectionOf(list)},
		{"100k hashes of 10 fields of 50 B", true, issue3(0.7), fixture{build: tenFields}},
	}
}

var value100, value50 = fmt.Sprintf("%0100d", 0), fmt.Sprintf("%050d", 0)

func tenFields(ctx context.Context, o options, s *server) error {
	return s.fill(ctx, o.keys/10, func(buf []byte, i int) []byte {
		args := []string{"HSET", fmt.Sprintf("hash:%012d", i)}
		for f := range 10 {
			args = append(args, fmt.Sprintf("field:%d", f), value50)
		}
		return appendCommand(buf, args...)
	})
}

// memorySection is the room that data takes, each shape on servers of its own.
func memorySection() *section {
	s := &section{name: "memory", cost: 2 * time.Minute, run: runMemory}
	for _, shape := range memoryShapes() {
		s.rows = append(s.rows, shape.name)
		if shape.short {
			s.short = append(s.short, shape.name)
		}
	}
	return s
}

func runMemory(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "Memory and disk", Base: "Redis", Ours: "bitkv",
		Intro: "After the data was written once, in fresh servers, and 10 seconds without work. Memory is the resident memory of Redis, and of bitkv what of it is not\n" +
			"file-backed: mapped pages of data files are the kernel's to take back. Keys are of 16 bytes, fields and members of 20.",
		Columns: []column{{"memory", "MiB"}, {"disk", "MiB"}},
	}
	var errs []error
	for _, shape := range memoryShapes() {
		if !e.wants(shape.name) {
			continue
		}
		r := row{Name: shape.name, Cells: []cell{{Bars: shape.bars}, {}}}
		if err := e.weigh(ctx, shape, &r); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", shape.name, err))
			continue
		}
		t.add(r)
		e.progress("%s: %.2f of Redis", shape.name, r.Cells[0].ratio())
	}
	return t, errors.Join(errs...)
}

// idleTime is how long a server has nothing to do before its memory is measured:
// both allocators give back what they do not use only after a while.
const idleTime = 10 * time.Second

// idle waits so long, and less in runs that are shorter than those of the short form.
func (e *env) idle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(idleTime, 17*e.o.duration)):
		return nil
	}
}

// weigh puts what a shape takes of each server's memory and disk into a row.
func (e *env) weigh(ctx context.Context, shape shape, r *row) (err error) {
	p, err := e.pairFor(ctx, nil, settings{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	for _, s := range p.servers {
		e.progress("%s: filling %s", shape.name, s.kind)
		if err := shape.build(ctx, e.o, s); err != nil {
			return err
		}
	}
	if err := settle(ctx, p.servers[:]...); err != nil {
		return err
	}
	if err := e.idle(ctx); err != nil {
		return err
	}
	const mib = 1 << 20
	for i, s := range p.servers {
		m, err := s.memory()
		if err != nil {
			return err
		}
		disk, err := s.disk()
		if err != nil {
			return err
		}
		if i == 0 {
			r.Cells[0].Base, r.Cells[1].Base = []float64{m.rss / mib}, []float64{disk / mib}
		} else {
			r.Cells[0].Ours, r.Cells[1].Ours = []float64{m.anonymous / mib}, []float64{disk / mib}
		}
	}
	return nil
}
