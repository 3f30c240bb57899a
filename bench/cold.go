package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The section cold: data five times as large as the memory that the server may use,
// its keydir and all buffers included, and GET of keys chosen uniformly, which is
// the worst there is for any cache. Beside it a plain loop of preads at random
// places of the same files, by as many threads as serve it best, under the same
// limit, all of which it has for the pages of the files.

const (
	coldValueBytes = 2 << 10
	coldShare      = 5 // data to memory
	coldWarm       = 3 * time.Second
	coldMeasure    = window + time.Second // of GET: longer than the PINGs beside it
	preadMeasure   = 2 * time.Second
)

// preadThreads are what is tried for the loop of preads.
var preadThreads = []int{16, 32, 64}

func coldRow(pipeline int) string { return fmt.Sprintf("GET -P %d", pipeline) }

func coldSection() *section {
	return &section{
		name: "cold",
		rows: []string{coldRow(1), coldRow(16)},
		cost: 4 * time.Minute,
		run:  runCold,
	}
}

func runCold(ctx context.Context, e *env) (_ *table, err error) {
	limit := newMemoryLimit(int64(e.o.keys) * coldValueBytes / coldShare)
	defer func() { err = errors.Join(err, limit.remove()) }()
	t := &table{
		Title: "Larger than memory", Base: "pread", Ours: "bitkv",
		Intro: fmt.Sprintf("%d keys of 2 KiB, %d times the memory: %s. GET of keys chosen uniformly by 50 clients, beside a loop of preads at random places of the same files, with the best of %v threads.",
			e.o.keys, coldShare, limit, preadThreads),
		Columns: []column{{"throughput", "op/s"}, {"p99 of PING beside it", "ms"}, {"longest PING", "ms"}, {"CPU", "us/op"}},
	}
	e.progress("cold: filling %d keys", e.o.keys)
	s, err := e.start(ctx, bitkv)
	if err != nil {
		return t, err
	}
	if err := s.fill(ctx, e.o.keys, setOf(coldValueBytes)); err != nil {
		return t, err
	}
	if err := s.terminate(); err != nil {
		return t, err
	}
	if s.bin, err = limit.limited(e.dir, s.bin); err != nil {
		return t, err
	}
	for _, pipeline := range []int{1, 16} {
		if !e.wants(coldRow(pipeline)) {
			continue
		}
		least, most := atLeast(0.7), valueAtMost(5)
		least.Source, most.Source = "issue 4", "issue 4"
		l := load{name: "GET", test: "get", pipeline: pipeline, space: e.o.keys}
		r := row{Name: coldRow(pipeline), Command: "redis-benchmark " + quoted(l.args(s.port, 100_000)), Cells: make([]cell, len(t.Columns))}
		r.Cells[0].Bars, r.Cells[1].Bars = []bar{least}, []bar{most}
		for range min(e.o.rounds, 3) {
			if err := e.coldRound(ctx, s, l, limit, &r); err != nil {
				return t, fmt.Errorf("%s: %w", r.Name, err)
			}
		}
		t.add(r)
	}
	return t, nil
}

// setOf returns what makes the commands that fill a server with values of this
// size, which no compression of anybody's makes smaller.
func setOf(size int) func(buf []byte, i int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	blob := make([]byte, 64*size)
	for i := range blob {
		blob[i] = byte(rnd.Uint32())
	}
	return func(buf []byte, i int) []byte {
		from := i * 37 % (len(blob) - size)
		return appendCommand(buf, "SET", fmt.Sprintf("key:%012d", i), string(blob[from:from+size]))
	}
}

// coldRound measures the loop of preads, and then the server, once. REQUIRES: the
// server does not run; nor does it afterwards.
func (e *env) coldRound(ctx context.Context, s *server, l load, limit *memoryLimit, r *row) (err error) {
	e.progress("cold: %s", r.Name)
	files, err := openData(s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	stopDropping := limit.keepDropping(files)
	defer stopDropping()
	best, err := limit.within(func() float64 { return files.bestOf(ctx, preadThreads) })
	if err != nil {
		return err
	}
	files.drop()
	if err := s.run(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.terminate()) }()
	warm, err := l.run(ctx, e.o, s, 50_000)
	if err != nil {
		return err
	}
	if _, err := l.run(ctx, e.o, s, requestsFor(warm.perSecond, coldWarm.Seconds(), 10_000)); err != nil {
		return err
	}
	var f figures
	pings, err := s.pingWhile(ctx, func() (err error) {
		f, err = l.run(ctx, e.o, s, requestsFor(warm.perSecond, coldMeasure.Seconds(), 10_000))
		return err
	})
	if err != nil {
		return err
	}
	r.Cells[0].Base = append(r.Cells[0].Base, best)
	for i, figure := range []float64{f.perSecond, percentile(pings, 0.99), slices.Max(pings), f.cpuMicros} {
		r.Cells[i].Ours = append(r.Cells[i].Ours, figure)
	}
	return nil
}

// dataSet is the data files of a server that does not run.
type dataSet struct {
	files []*os.File
	sizes []int64
	total int64
}

func openData(dir string) (*dataSet, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil {
		return nil, err
	}
	d := &dataSet{}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		d.files = append(d.files, f)
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		d.sizes = append(d.sizes, info.Size())
		d.total += info.Size()
	}
	if d.total < 2*coldValueBytes {
		return nil, errors.Join(fmt.Errorf("no data in %s", dir), d.close())
	}
	return d, nil
}

func (d *dataSet) close() error {
	var err error
	for _, f := range d.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// drop takes the files out of the system's cache.
func (d *dataSet) drop() {
	for _, f := range d.files {
		dropCache(f)
	}
}

// bestOf returns how many reads a second the best of these numbers of threads does.
func (d *dataSet) bestOf(ctx context.Context, threads []int) float64 {
	best := 0.0
	for _, n := range threads {
		best = max(best, d.read(ctx, n))
	}
	return best
}

// read reads at random places, and returns how many times a second, once it has
// done so for a while.
func (d *dataSet) read(ctx context.Context, threads int) float64 {
	var done atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			b := make([]byte, coldValueBytes+64)
			for !stop.Load() {
				at, i := rand.Int64N(d.total), 0
				for at >= d.sizes[i] {
					at -= d.sizes[i]
					i++
				}
				if n, _ := d.files[i].ReadAt(b, at); n > 0 { // fewer bytes at the end of a file
					done.Add(1)
				}
			}
		})
	}
	wait(ctx, coldWarm)
	before, begin := done.Load(), time.Now()
	wait(ctx, preadMeasure)
	perSecond := float64(done.Load()-before) / time.Since(begin).Seconds()
	stop.Store(true)
	wg.Wait()
	return perSecond
}

// wait waits, or until the context is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// memoryLimit is what keeps the server, and the loop of preads, short of memory: a
// control group, or, where none can be made, dropping the files from the system's
// cache again and again.
type memoryLimit struct {
	bytes int64
	group string // directory of the control group; empty: there is none
	home  string // where we came from: the cgroup.procs of it
}

// newMemoryLimit makes a control group, of either version.
func newMemoryLimit(limit int64) *memoryLimit {
	m := &memoryLimit{bytes: limit}
	for _, v := range []struct{ root, file, line string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", ":memory:"},
		{"/sys/fs/cgroup", "memory.max", "0::"},
	} {
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return m
		}
		_, path, found := bytes.Cut(own, []byte(v.line))
		path, _, _ = bytes.Cut(path, []byte("\n"))
		group := filepath.Join(v.root, "bitkv-bench-"+strconv.Itoa(os.Getpid()))
		if !found || os.Mkdir(group, 0o755) != nil {
			continue
		}
		// #nosec G306 -- the file exists, and belongs to the system.
		if os.WriteFile(filepath.Join(group, v.file), []byte(strconv.FormatInt(limit, 10)), 0o644) == nil {
			m.group, m.home = group, filepath.Join(v.root, string(path), "cgroup.procs")
			return m
		}
		_ = os.Remove(group) // nothing is in it
	}
	return m
}

func (m *memoryLimit) String() string {
	if m.group == "" {
		return "no control group could be made, so the files are dropped from the system's cache ten times a second"
	}
	return fmt.Sprintf("a control group of %d MiB", m.bytes>>20)
}

// limited returns a program that is bin within the limit.
func (m *memoryLimit) limited(dir, bin string) (string, error) {
	if m.group == "" {
		return bin, nil
	}
	name := filepath.Join(dir, "limited.sh")
	script := fmt.Sprintf("#!/bin/sh\necho $$ > %s/cgroup.procs && exec %q \"$@\"\n", m.group, bin)
	return name, os.WriteFile(name, []byte(script), 0o755)
}

// within runs fn with this process within the limit.
func (m *memoryLimit) within(fn func() float64) (_ float64, err error) {
	if m.group == "" {
		return fn(), nil
	}
	move := func(procs string) error { return os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0o644) }
	if err := move(filepath.Join(m.group, "cgroup.procs")); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, move(m.home)) }()
	return fn(), nil
}

// keepDropping drops the files from the system's cache ten times a second, if there
// is no control group, until the function it returns is called.
func (m *memoryLimit) keepDropping(d *dataSet) (stop func()) {
	d.drop()
	if m.group != "" {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				d.drop()
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// remove removes the control group, which is empty once its processes are gone.
func (m *memoryLimit) remove() error {
	if m.group == "" {
		return nil
	}
	return os.Remove(m.group)
}
