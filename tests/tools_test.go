package tests

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Redis's own tools, used as they come against our server.

// toolLimit bounds the run of a program: it is for one that hangs.
const toolLimit = 4 * time.Minute

// cli runs redis-cli to its end and returns what it printed.
func cli(t *testing.T, s *server, stdin string, args ...string) string {
	t.Helper()
	out, errOut, code := run(t, stdin, tool(t, "redis-cli"), append([]string{"-p", strconv.Itoa(s.port)}, args...)...)
	if code != 0 || errOut != "" {
		t.Errorf("redis-cli %q: exit code %d, stderr %q, stdout %q", args, code, errOut, out)
	}
	return out
}

// must fails the test unless text holds every one of the lines.
func must(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}

func TestRedisCLI(t *testing.T) {
	s := start(t, ours)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"SET", "k", "v"}, "OK\n"},
		{[]string{"GET", "k"}, "v\n"},
		{[]string{"-3", "GET", "nope"}, "\n"},
		{[]string{"--no-raw", "GET", "nope"}, "(nil)\n"},
		{[]string{"-3", "--no-raw", "GET", "nope"}, "(nil)\n"},
		{[]string{"--no-raw", "INCR", "n"}, "(integer) 1\n"},
		{[]string{"-3", "--no-raw", "CONFIG", "GET", "databases"}, "1# \"databases\" => \"16\"\n"},
		{[]string{"--no-raw", "CONFIG", "GET", "databases"}, "1) \"databases\"\n2) \"16\"\n"},
		{[]string{"-n", "3", "SET", "third", "1"}, "OK\n"},
		{[]string{"-n", "3", "KEYS", "*"}, "third\n"},
		{[]string{"-r", "3", "INCR", "n"}, "2\n3\n4\n"},
		{[]string{"--json", "MGET", "k", "nope"}, "[\"v\",null]\n"},
		{[]string{"--csv", "MGET", "k", "n"}, "\"v\",\"4\"\n"},
		{[]string{"BOGUS"}, "ERR unknown command 'BOGUS', with args beginning with: \n\n"},
	} {
		if got := cli(t, s, "", row.args...); got != row.want {
			t.Errorf("redis-cli %q: got %q, want %q", row.args, got, row.want)
		}
	}
	if got := cli(t, s, "SET a 1\nMULTI\nINCR a\nEXEC\nGET a\n"); got != "OK\nOK\nQUEUED\n2\n2\n" {
		t.Errorf("commands from standard input: got %q", got)
	}
}

func TestRedisCLIScans(t *testing.T) {
	s := start(t, ours)
	var load strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&load, "SET key:%d %s\r\n", i, strings.Repeat("v", 1+i%100))
	}
	load.WriteString("SET biggest " + strings.Repeat("x", 50_000) + "\r\n")
	must(t, cli(t, s, load.String(), "--pipe"), "errors: 0, replies: 1001")

	if got := len(strings.Fields(cli(t, s, "", "--scan"))); got != 1001 {
		t.Errorf("--scan: %d keys", got)
	}
	if got := len(strings.Fields(cli(t, s, "", "-3", "--scan", "--pattern", "key:99*"))); got != 11 {
		t.Errorf("--scan --pattern key:99*: %d keys", got)
	}
	must(t, cli(t, s, "", "--bigkeys"),
		"Sampled 1001 keys in the keyspace!",
		`Biggest string found '"biggest"' has 50000 bytes`,
		"1001 strings with 100500 bytes (100.00% of keys, avg size 100.40)")
	memory := cli(t, s, "", "--memkeys")
	must(t, memory, "Sampled 1001 keys in the keyspace!")
	if !regexp.MustCompile(`Biggest string found '"biggest"' has \d{5} bytes`).MatchString(memory) {
		t.Errorf("--memkeys: %s", memory)
	}
}

// TestRedisCLIPipe loads raw protocol as fast as it goes, and an error in it is
// counted.
func TestRedisCLIPipe(t *testing.T) {
	s := start(t, ours)
	var load []byte
	for i := range 100_000 {
		load = appendCommand(load, "SET", "p:"+strconv.Itoa(i), strconv.Itoa(i))
	}
	load = appendCommand(load, "INCR", "p:1", "too many")
	out, _, code := run(t, string(load), tool(t, "redis-cli"), "-p", strconv.Itoa(s.port), "--pipe")
	must(t, out, "errors: 1, replies: 100001")
	if code != 1 {
		t.Errorf("--pipe with an error: exit code %d", code)
	}
	if got := cli(t, s, "", "DBSIZE"); got != "100000\n" {
		t.Errorf("DBSIZE: %q", got)
	}
}

// TestRedisCLILatency reads the one line that --latency prints off a terminal:
// minimum, maximum, average and samples.
func TestRedisCLILatency(t *testing.T) {
	s := start(t, ours)
	fields := strings.Fields(cli(t, s, "", "--latency"))
	if len(fields) != 4 {
		t.Fatalf("--latency: %q", fields)
	}
	if n, err := strconv.Atoi(fields[3]); err != nil || n < 1 { // a second's; how many is the machine's business
		t.Errorf("--latency: %q samples, %v", fields[3], err)
	}
}

func TestRedisCLIStat(t *testing.T) {
	s := start(t, ours)
	cli(t, s, "", "MSET", "a", "1", "b", "2")
	lines := follow(t, s, "--stat", "-i", "0.05")
	header := lines()
	if !strings.Contains(header, "data") {
		t.Fatalf("--stat: %q", header)
	}
	for !strings.HasPrefix(header, "keys ") {
		header = lines()
	}
	for range 3 {
		row := strings.Fields(lines())
		if len(row) < 6 || row[0] != "2" || !regexp.MustCompile(`^\d+(\.\d+)?[BKMG]$`).MatchString(row[1]) {
			t.Fatalf("--stat: %q", row)
		}
	}
}

func TestRedisCLIMonitor(t *testing.T) {
	for _, proto := range []string{"-2", "-3"} {
		s := start(t, ours)
		lines := follow(t, s, proto, "MONITOR")
		for line := lines(); line != "OK"; {
			line = lines()
		}
		cli(t, s, "", "SET", "k", "a \"quoted\" value")
		for {
			line := lines()
			if strings.Contains(line, `"COMMAND"`) || strings.Contains(line, `"HELLO"`) || strings.Contains(line, `"SELECT"`) {
				continue
			}
			if !regexp.MustCompile(`^\d{10}\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "k" "a \\"quoted\\" value"$`).MatchString(line) {
				t.Errorf("MONITOR: %q", line)
			}
			break
		}
	}
}

// follow starts redis-cli in a mode that does not end and returns a function
// that reads its next line. It is killed when the test ends.
func follow(t *testing.T, s *server, args ...string) func() string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	// redis-cli does not flush in these modes, so its buffering is turned off.
	args = append([]string{"-oL", tool(t, "redis-cli"), "-p", strconv.Itoa(s.port)}, args...)
	cmd := exec.CommandContext(ctx, tool(t, "stdbuf"), args...)
	dieWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		// It was killed, which is its expected end.
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	return func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("redis-cli %q ended: %v", args, lines.Err())
		}
		return lines.Text()
	}
}

// TestRedisBenchmark runs the default tests of redis-benchmark for the commands
// there are, as most people would.
func TestRedisBenchmark(t *testing.T) {
	s := start(t, ours)
	bench := tool(t, "redis-benchmark")
	for _, extra := range [][]string{nil, {"-P", "16"}, {"-3"}, {"-r", "100000", "-d", "1024"}, {"--threads", "2"}, {"-k", "0", "-n", "500"}} {
		args := append([]string{"-p", strconv.Itoa(s.port), "-t", "ping_inline,ping_mbulk,set,get,incr,mset", "-n", "5000", "-c", "50", "--csv"}, extra...)
		out, errOut, code := run(t, "", bench, args...)
		if code != 0 || strings.Contains(out+errOut, "rror") || strings.Contains(errOut, "Could not fetch server CONFIG") {
			t.Errorf("redis-benchmark %q: exit code %d\n%s%s", extra, code, out, errOut)
		}
		for _, name := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"} {
			if !regexp.MustCompile(`(?m)^"` + regexp.QuoteMeta(name) + `","\d+\.\d+"`).MatchString(out) {
				t.Errorf("redis-benchmark %q: no figures for %s:\n%s%s", extra, name, out, errOut)
			}
		}
	}
	s.alive(t)
}
