package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const clients = 50

// load is one run of redis-benchmark.
type load struct {
	test     string // what redis-benchmark -t calls it
	pipeline int
	size     int
	requests int
}

// loads lists what is measured with values of one size. PING and INCR have no
// value, so they come once.
func loads(o options, size int) []load {
	tests := []string{"ping_mbulk", "set", "get", "incr", "mset"}
	if size != 64 {
		tests = []string{"set", "get", "mset"}
	}
	var out []load
	for _, pipeline := range []int{1, 16} {
		for _, test := range tests {
			requests := pick(pipeline == 1, 100_000, 600_000)
			if test == "mset" {
				requests = pick(pipeline == 1, 40_000, 80_000)
			}
			if o.full {
				requests *= 4
			}
			l := load{test, pipeline, size, requests}
			if strings.Contains(l.name(), o.only) {
				out = append(out, l)
			}
		}
	}
	return out
}

func (l load) name() string {
	name := strings.ToUpper(strings.TrimSuffix(l.test, "_mbulk"))
	switch l.test {
	case "mset":
		name += " (10 keys)"
		fallthrough
	case "set", "get":
		name += fmt.Sprintf(" %d B", l.size)
	}
	return fmt.Sprintf("%s -P %d", name, l.pipeline)
}

// args are the arguments of redis-benchmark.
func (l load) args(o options, port int) []string {
	return []string{
		"-p", strconv.Itoa(port), "-t", l.test, "-c", strconv.Itoa(clients), "-n", strconv.Itoa(l.requests),
		"-P", strconv.Itoa(l.pipeline), "-d", strconv.Itoa(l.size), "-r", strconv.Itoa(o.keys), "--csv",
	}
}

// measurement is what one run showed.
type measurement struct {
	perSecond float64
	p99Ms     float64
	cpuMicros float64 // the server's processor time per operation
}

// run loads one server once.
func (l load) run(ctx context.Context, o options, s *server) (measurement, error) {
	var m measurement
	before, err := s.cpu()
	if err != nil {
		return m, err
	}
	cmd := exec.CommandContext(ctx, "redis-benchmark", l.args(o, s.port)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("redis-benchmark: %w\n%s%s", err, out, errOut.String())
	}
	after, err := s.cpu()
	if err != nil {
		return m, err
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[1]) < 7 {
		return m, fmt.Errorf("redis-benchmark %q printed %q%s: %w", cmd.Args, out, errOut.String(), err)
	}
	if m.perSecond, err = strconv.ParseFloat(rows[1][1], 64); err != nil {
		return m, err
	}
	if m.p99Ms, err = strconv.ParseFloat(rows[1][6], 64); err != nil {
		return m, err
	}
	m.cpuMicros = float64(after-before) / float64(time.Microsecond) / float64(l.requests)
	return m, nil
}

// median returns the median of one of the figures.
func median(runs []measurement, figure func(measurement) float64) float64 {
	values := make([]float64, len(runs))
	for i, m := range runs {
		values[i] = figure(m)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
