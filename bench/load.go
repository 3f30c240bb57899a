package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is a row that redis-benchmark measures, on two running servers in turn.
type load struct {
	name     string   // of the row, without the pipeline
	test     string   // what redis-benchmark -t calls it, or empty
	command  []string // the command it sends, if it is no test of its own
	pipeline int
	size     int // of the value, 0 for redis-benchmark's own
	space    int // how many different keys, fields or members
	clients  int // 0 means 50
	ready    *fixture
	before   before // nil if every run can start from what the last one left
	with     settings
	short    bool
	bars     loadBars
}

// settings are more arguments for each server, in words separated by blanks.
type settings struct{ redis, bitkv string }

// loadBars are the bars of throughput and of processor time.
type loadBars struct{ throughput, cpu []bar }

// before puts the key of a load into the state that every run of it starts from;
// requests is how many commands the run sends.
type before func(ctx context.Context, s *server, requests int) error

// fixture is data that several loads read or write. It is made once on a pair of
// servers.
type fixture struct {
	name  string
	build func(ctx context.Context, o options, s *server) error
}

const defaultClients = 50

// rowName is what the report and -only call the load.
func (l load) rowName() string { return fmt.Sprintf("%s -P %d", l.name, l.pipeline) }

func (l load) clientCount() int { return pick(l.clients == 0, defaultClients, l.clients) }

// args are the arguments of redis-benchmark.
func (l load) args(port, requests int) []string {
	args := []string{
		"-p", strconv.Itoa(port), "-c", strconv.Itoa(l.clientCount()), "-n", strconv.Itoa(requests), "-P", strconv.Itoa(l.pipeline),
		"-r", strconv.Itoa(l.space), "--precision", "3",
	}
	if l.size > 0 {
		args = append(args, "-d", strconv.Itoa(l.size))
	}
	if l.test != "" {
		return append(args, "-t", l.test)
	}
	return append(args, l.command...)
}

// figures is what one run of redis-benchmark showed.
type figures struct {
	perSecond float64
	p99Ms     float64
	cpuMicros float64 // the server's processor time per operation
}

// run loads one server once. A server that answers an error fails the run.
func (l load) run(ctx context.Context, o options, s *server, requests int) (figures, error) {
	var f figures
	// A run that was to take a second and takes a minute says nothing any more.
	ctx, cancel := context.WithTimeout(ctx, 30*o.duration+20*time.Second)
	defer cancel()
	before, err := s.cpu()
	if err != nil {
		return f, err
	}
	out, err := redisBenchmark(ctx, append([]string{"--csv"}, l.args(s.port, requests)...))
	if err != nil {
		return f, err
	}
	after, err := s.cpu()
	if err != nil {
		return f, err
	}
	f, err = parseCSV(out)
	f.cpuMicros = float64(after-before) / float64(time.Microsecond) / float64(requests)
	return f, err
}

// redisBenchmark runs redis-benchmark and returns what it printed. A server that
// answered an error fails it.
func redisBenchmark(ctx context.Context, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "redis-benchmark", args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("redis-benchmark %s: %w\n%s%s", quoted(args), err, out, errOut.String())
	}
	if strings.Contains(strings.ToLower(errOut.String()), "error") {
		return nil, fmt.Errorf("redis-benchmark %s: %s", quoted(args), errOut.String())
	}
	return out, nil
}

// parseDistribution reads, from what redis-benchmark prints without --csv, the
// latency in milliseconds that this share of the requests did not exceed.
func parseDistribution(out []byte, share float64) (float64, error) {
	type step struct{ count, ms float64 }
	var steps []step
	for line := range strings.Lines(string(out)) {
		// 99.902% <= 4.087 milliseconds (cumulative count 99904)
		fields := strings.Fields(line)
		if len(fields) != 7 || fields[1] != "<=" || fields[3] != "milliseconds" {
			if len(steps) > 0 {
				break // the second list has the same form, and is less exact
			}
			continue
		}
		ms, err1 := strconv.ParseFloat(fields[2], 64)
		count, err2 := strconv.ParseFloat(strings.TrimSuffix(fields[6], ")"), 64)
		if err := errors.Join(err1, err2); err != nil {
			return 0, fmt.Errorf("redis-benchmark: %q: %w", line, err)
		}
		steps = append(steps, step{count, ms})
	}
	for _, s := range steps {
		if s.count >= share*steps[len(steps)-1].count {
			return s.ms, nil
		}
	}
	return 0, fmt.Errorf("redis-benchmark printed no latencies: %q", out)
}

// parseCSV reads what redis-benchmark --csv prints of one test.
func parseCSV(out []byte) (figures, error) {
	var f figures
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		return f, fmt.Errorf("redis-benchmark printed %q: %w", out, err)
	}
	if len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		return f, fmt.Errorf("redis-benchmark printed %q, which is not a line of names and one of figures", out)
	}
	for name, to := range map[string]*float64{"rps": &f.perSecond, "p99_latency_ms": &f.p99Ms} {
		i := slices.Index(rows[0], name)
		if i < 0 {
			return f, fmt.Errorf("redis-benchmark printed no %s: %q", name, out)
		}
		if *to, err = strconv.ParseFloat(rows[1][i], 64); err != nil {
			return f, fmt.Errorf("redis-benchmark: %s: %w", name, err)
		}
	}
	return f, nil
}

// loadColumns are the columns of every table of loads.
func loadColumns() []column {
	return []column{{"throughput", "op/s"}, {"CPU", "us/op"}, {"p99", "ms"}}
}

// loadSection is a section of loads on one pair of servers.
func loadSection(name string, cost time.Duration, t table, all func(o options) []load) *section {
	s := &section{name: name, cost: cost, sized: true}
	for _, l := range all(options{}) {
		s.rows = append(s.rows, l.rowName())
		if l.short {
			s.short = append(s.short, l.rowName())
		}
	}
	s.run = func(ctx context.Context, e *env) (*table, error) {
		t := t
		t.Base, t.Ours, t.Columns = "Redis", "bitkv", loadColumns()
		return &t, e.runLoads(ctx, &t, all(e.o))
	}
	return s
}

// runLoads measures the loads that are wanted. When one fails, the next ones get
// new servers, for nobody knows what state the old ones are in.
func (e *env) runLoads(ctx context.Context, t *table, all []load) error {
	var errs []error
	var p *pair
	for _, l := range all {
		if !e.wants(l.rowName()) {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, fmt.Errorf("%s: not run: %w", l.rowName(), ctx.Err()))...)
		}
		var r row
		var err error
		if p, err = e.pairFor(ctx, p, l.with); err == nil {
			r, err = e.runLoad(ctx, p, l)
		}
		if err != nil {
			e.progress("%s failed: %v", l.rowName(), err)
			errs = append(errs, fmt.Errorf("%s: %w", l.rowName(), err), p.stop())
			p = nil
			continue
		}
		t.add(r)
	}
	return errors.Join(append(errs, p.stop())...)
}

// pair is two servers, and which fixtures they have.
type pair struct {
	servers [2]*server
	with    settings
	made    map[string]bool
}

// pairFor returns the pair if it runs with these settings, or else a new one.
func (e *env) pairFor(ctx context.Context, p *pair, with settings) (*pair, error) {
	if p != nil && p.with == with {
		return p, nil
	}
	if err := p.stop(); err != nil {
		return nil, err
	}
	servers, err := e.startPair(ctx, with)
	if err != nil {
		return nil, err
	}
	return &pair{servers: servers, with: with, made: map[string]bool{}}, nil
}

// stop ends both servers, if there are any.
func (p *pair) stop() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.servers[0].stop(), p.servers[1].stop())
}

// runLoad measures one load in interleaved rounds.
func (e *env) runLoad(ctx context.Context, p *pair, l load) (row, error) {
	r := row{Name: l.rowName(), Cells: make([]cell, 3)}
	r.Cells[0].Bars, r.Cells[1].Bars = l.bars.throughput, l.bars.cpu
	if l.ready != nil && !p.made[l.ready.name] {
		for _, s := range p.servers {
			e.progress("%s: making %s in %s", l.rowName(), l.ready.name, s.kind)
			if err := l.ready.build(ctx, e.o, s); err != nil {
				return r, err
			}
		}
		p.made[l.ready.name] = true
	}
	requests, err := e.calibrate(ctx, p, l)
	if err != nil {
		return r, err
	}
	for round := 0; round < e.o.rounds; round++ {
		got, err := e.runRound(ctx, p, l, round, requests)
		if err != nil {
			return r, err
		}
		// A rate that was measured in a bad moment makes runs that are too short.
		fastest := max(got[0].perSecond, got[1].perSecond)
		if most := requestsFor(fastest, e.o.duration.Seconds(), 0); round == 0 && requests < most/3 {
			requests, round = most, -1
			continue
		}
		for i, f := range got {
			for c, figure := range []float64{f.perSecond, f.cpuMicros, f.p99Ms} {
				to := pick(i == 0, &r.Cells[c].Base, &r.Cells[c].Ours)
				*to = append(*to, figure)
			}
		}
	}
	r.Command = "redis-benchmark " + quoted(l.args(6379, requests))
	e.progress("%-24s throughput %.2f, CPU %.2f of Redis", l.rowName(), r.Cells[0].ratio(), r.Cells[1].ratio())
	return r, nil
}

// runRound measures both servers once; who goes first changes with the round.
func (e *env) runRound(ctx context.Context, p *pair, l load, round, requests int) (got [2]figures, err error) {
	for i := range p.servers {
		i = (i + round) % len(p.servers)
		if got[i], err = e.prepareAndRun(ctx, p, l, i, requests); err != nil {
			return got, err
		}
	}
	return got, nil
}

// prepareAndRun puts the load's key in order, waits until both servers are idle,
// and measures the i'th.
func (e *env) prepareAndRun(ctx context.Context, p *pair, l load, i, requests int) (figures, error) {
	if l.before != nil {
		if err := l.before(ctx, p.servers[i], requests); err != nil {
			return figures{}, err
		}
	}
	if err := settle(ctx, p.servers[:]...); err != nil {
		return figures{}, err
	}
	return l.run(ctx, e.o, p.servers[i], requests)
}

// calibrate returns how many requests take about the time of one run, the same
// for both servers. It warms them up, too.
func (e *env) calibrate(ctx context.Context, p *pair, l load) (int, error) {
	const enough = 0.2 // of a run, to know the rate by
	least := l.clientCount() * l.pipeline
	perSecond := 0.0
	for i := range p.servers {
		for requests := least; ; {
			f, err := e.prepareAndRun(ctx, p, l, i, requests)
			if err != nil {
				return 0, err
			}
			if float64(requests)/f.perSecond >= enough*e.o.duration.Seconds() {
				perSecond += f.perSecond / float64(len(p.servers))
				break
			}
			// A short run says little about the rate: no more than a step from it.
			next := requestsFor(f.perSecond, 2*enough*e.o.duration.Seconds(), least)
			requests = min(max(next, 2*requests), 20*requests)
		}
	}
	return requestsFor(perSecond, e.o.duration.Seconds(), least), nil
}

// requestsFor is a round number of requests that take so many seconds, and at
// least that many.
func requestsFor(perSecond, seconds float64, least int) int {
	n := int(perSecond * seconds)
	for unit := 10; unit <= n/10; unit *= 10 {
		n -= n % unit // two digits are exact enough, and easier to read
	}
	return max(n, least)
}

// quoted joins arguments for a shell.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "" || strings.ContainsAny(arg, " ()'\"$*?;&|<>") {
			out[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
