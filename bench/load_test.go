package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitkv/internal/testenv"
)

func TestParseCSV(t *testing.T) {
	const head = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"` + "\n"
	f, err := parseCSV([]byte(head + `"SET","123456.78","0.1","0.2","0.3","0.4","0.567","0.6"` + "\n"))
	if want := (figures{perSecond: 123456.78, p99Ms: 0.567}); err != nil || f != want {
		t.Errorf("parseCSV = %+v, %v, want %+v", f, err, want)
	}
	for name, bad := range map[string]string{
		"nothing":      "",
		"no figures":   head,
		"two tests":    head + `"SET","1","1","1","1","1","1","1"` + "\n" + `"GET","1","1","1","1","1","1","1"` + "\n",
		"not a number": head + `"SET","fast","1","1","1","1","1","1"` + "\n",
		"no p99":       `"test","rps"` + "\n" + `"SET","1"` + "\n",
		"not CSV":      "\"",
	} {
		if f, err := parseCSV([]byte(bad)); err == nil {
			t.Errorf("%s: parseCSV = %+v, want an error", name, f)
		}
	}
}

const distribution = `====== SET ======
  1000 requests completed in 0.54 seconds

Latency by percentile distribution:
0.000% <= 0.047 milliseconds (cumulative count 1)
50.000% <= 0.159 milliseconds (cumulative count 500)
99.805% <= 3.143 milliseconds (cumulative count 998)
99.902% <= 4.087 milliseconds (cumulative count 999)
100.000% <= 36.415 milliseconds (cumulative count 1000)

Cumulative distribution of latencies:
15.096% <= 0.103 milliseconds (cumulative count 150)
100.000% <= 37.119 milliseconds (cumulative count 1000)
`

func TestParseDistribution(t *testing.T) {
	for share, want := range map[float64]float64{0.999: 4.087, 0.5: 0.159, 0.9: 3.143, 1: 36.415, 0: 0.047} {
		if got, err := parseDistribution([]byte(distribution), share); err != nil || got != want {
			t.Errorf("parseDistribution(%v) = %v, %v, want %v", share, got, err, want)
		}
	}
	for name, bad := range map[string]string{
		"nothing":      "",
		"not a number": "99.9% <= soon milliseconds (cumulative count 1)\n",
	} {
		if got, err := parseDistribution([]byte(bad), 0.999); err == nil {
			t.Errorf("%s: parseDistribution = %v, want an error", name, got)
		}
	}
}

func TestRequestsFor(t *testing.T) {
	for _, tc := range []struct {
		perSecond, seconds float64
		least, want        int
	}{
		{123456, 1, 50, 120000},
		{987654, 0.5, 50, 490000},
		{40, 0.6, 64, 64},
		{99, 1, 1, 99},
		{105, 1, 1, 100},
		{0, 1, 50, 50},
	} {
		if got := requestsFor(tc.perSecond, tc.seconds, tc.least); got != tc.want {
			t.Errorf("requestsFor(%v, %v, %d) = %d, want %d", tc.perSecond, tc.seconds, tc.least, got, tc.want)
		}
	}
}

func TestQuoted(t *testing.T) {
	got := quoted([]string{"-t", "set", "", "two words", "it's", "(1"})
	if want := `-t set '' 'two words' 'it'\''s' '(1'`; got != want {
		t.Errorf("quoted = %s, want %s", got, want)
	}
}

func TestLoadArgs(t *testing.T) {
	own := load{test: "set", pipeline: 16, size: 64, space: 1000}
	want := "-p 7000 -c 50 -n 200 -P 16 -r 1000 --precision 3 -d 64 -t set"
	if got := quoted(own.args(7000, 200)); got != want {
		t.Errorf("args = %s, want %s", got, want)
	}
	command := load{command: []string{"ZRANK", "z", "__rand_int__"}, pipeline: 1, space: 10, clients: 4}
	want = "-p 7000 -c 4 -n 200 -P 1 -r 10 --precision 3 ZRANK z __rand_int__"
	if got := quoted(command.args(7000, 200)); got != want {
		t.Errorf("args = %s, want %s", got, want)
	}
}

func TestScrambleHasNoOrder(t *testing.T) {
	seen, rising := map[int]bool{}, 0
	for i := range 10_000 {
		n := scramble(i)
		if n < 0 || n >= 1_000_000 {
			t.Fatalf("scramble(%d) = %d, want a number below a million", i, n)
		}
		if i > 0 && n > scramble(i-1) {
			rising++
		}
		seen[n] = true
	}
	if len(seen) < 9_000 || rising < 3_000 || rising > 7_000 {
		t.Errorf("scramble: %d different numbers of 10,000, %d greater than the one before", len(seen), rising)
	}
}

// testTimeout ends what hangs: what is measured here takes half a minute on a quiet
// machine.
const testTimeout = 8 * time.Minute

// testOptions measure redis-server beside itself, briefly: what the harness does,
// not what the figures are.
func testOptions(t *testing.T, only string) options {
	t.Helper()
	return options{
		server: "redis-server", redis: "redis-server", args: "--appendonly yes", keys: 2000, bigKeys: 3000,
		rounds: 2, duration: 10 * time.Millisecond, only: only, scratch: t.TempDir(), full: true,
		port: func() (int, error) { return testenv.FreePort(t), nil },
	}
}

// TestRows runs rows of every kind for real.
func TestRows(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	for _, tc := range []struct {
		only  string
		rows  []string
		cells int
	}{
		{"lpop 16,hgetall 1,sinter 1", []string{"HGETALL of 50 fields -P 1", "LPOP -P 16"}, 3},
		{"strings set 64 1,strings incr 16", []string{"SET 64 B -P 1", "INCR -P 16"}, 3},
		{"always", []string{alwaysMany, alwaysOne, alwaysShared}, 3},
		{"memory 50", []string{"100k hashes of 10 fields of 50 B"}, 2},
		{"latency alone", []string{"PING alone"}, 2},
		{"big memory,big restart,big p99.9", []string{bigMemory, bigRestart, bigTail}, 1},
	} {
		o := testOptions(t, tc.only)
		dir := filepath.Join(o.scratch, "data")
		err := runSections(ctx, o, dir, sections(), func(got *table) error {
			for _, r := range got.Rows {
				if len(r.Cells) != tc.cells {
					t.Errorf("%s: %s has %d cells, want %d", tc.only, r.Name, len(r.Cells), tc.cells)
				}
				if len(r.Cells[0].Ours) == 0 || len(r.Cells[0].Ours) != len(r.Cells[0].Base) || slices.Min(r.Cells[0].Ours) <= 0 {
					t.Errorf("%s: %s: figures %v beside %v", tc.only, r.Name, r.Cells[0].Ours, r.Cells[0].Base)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", tc.only, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("%s: these directories are left: %v", tc.only, left)
		}
	}
}

// TestOneRowFails: a server that dies in one row leaves the next ones whole.
func TestOneRowFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	o := testOptions(t, "")
	e := &env{o: o, dir: o.scratch, clock: &clock{begun: time.Now(), now: time.Now}, rows: []string{"PING -P 1", "KILL -P 1", "ERR -P 1", "GET -P 1"}}
	defer func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}()
	shutdown := func(_ context.Context, s *server, _ int) error {
		_, err := s.do("SHUTDOWN", "NOSAVE", "NOW")
		return err
	}
	out := &table{}
	err := e.runLoads(ctx, out, []load{
		{name: "PING", test: "ping_mbulk", pipeline: 1},
		{name: "KILL", test: "ping_mbulk", pipeline: 1, before: shutdown},
		{name: "ERR", command: []string{"NOSUCHCOMMAND"}, pipeline: 1},
		{name: "GET", test: "get", pipeline: 1},
	})
	var names []string
	for _, r := range out.Rows {
		names = append(names, r.Name)
	}
	if want := []string{"PING -P 1", "GET -P 1"}; !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
	if err == nil || !strings.Contains(err.Error(), "KILL -P 1") || !strings.Contains(err.Error(), "ERR -P 1") || strings.Contains(err.Error(), "GET -P 1") {
		t.Errorf("error %v, want one of KILL and ERR", err)
	}
	for _, s := range e.servers {
		if s.alive() {
			t.Errorf("a server runs on: pid %d", s.cmd.Process.Pid)
		}
	}
}
