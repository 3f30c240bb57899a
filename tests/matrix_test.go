package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The client matrix: clients of several languages run the same script (connect,
// every type, a blocking pop served by a second connection, pipelines, MULTI and
// WATCH, the scans, DUMP and RESTORE, error texts), each in its own idiom, with
// every step asserted. tests/clients has the scripts, go-redis's are beside this
// file. They run against the oracle too, which shows that the script is right.
//
// BITKV_TEST_CLIENTS says which of them: "redis-py ioredis redis-rb"; without it
// redis-py alone, which `make test` can install quickly. A client that is not
// installed is a failure.

// matrixClients are the programs of the matrix by the client's name.
var matrixClients = map[string]struct {
	script      string
	interpreter string // Debian's: its packages install for no other
	env         string
}{
	"redis-py": {script: "matrix.py", interpreter: "/usr/bin/python3"},
	"redis-rb": {script: "matrix.rb", interpreter: "/usr/bin/ruby"},
	"ioredis":  {script: "matrix.js", interpreter: "node", env: "NODE_PATH=../.cache/clients/node_modules"},
}

func TestClientMatrix(t *testing.T) {
	names := []string{"redis-py"}
	if chosen := os.Getenv("BITKV_TEST_CLIENTS"); chosen != "" {
		names = strings.Fields(chosen)
	}
	for _, name := range names {
		client, ok := matrixClients[name]
		if !ok {
			t.Fatalf("BITKV_TEST_CLIENTS: no client is called %q", name)
		}
		for _, k := range []kind{oracle, ours} {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				s := start(t, k)
				args := []string{tool(t, client.interpreter), filepath.Join("clients", client.script), strconv.Itoa(s.port)}
				if client.env != "" {
					args = slices.Insert(args, 0, client.env)
				}
				out, errOut, code := run(t, "", tool(t, "env"), args...)
				if code != 0 || !strings.HasSuffix(out, " steps\n") {
					t.Fatalf("exit code %d\n%s%s", code, out, errOut)
				}
				t.Log(strings.TrimSpace(out))
			})
		}
	}
}

// TestRedisCLIMatrix feeds the steps of clients/matrix.cli to redis-cli, which is
// hiredis, over both protocols: the oracle and we must make it print the same.
func TestRedisCLIMatrix(t *testing.T) {
	steps, err := os.ReadFile(filepath.Join("clients", "matrix.cli"))
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"-2", "-3"} {
		t.Run("resp"+protocol[1:], func(t *testing.T) {
			var printed []string
			for _, k := range []kind{oracle, ours} {
				s := start(t, k)
				popped := make(chan string, 1)
				go func() { popped <- cli(t, s, "", protocol, "--no-raw", "BLPOP", "queue", "0") }()
				eventually(t, "a client waits", func() bool {
					return strings.Contains(cli(t, s, "", "INFO", "clients"), "\r\nblocked_clients:1\r\n")
				})
				out := tookLong.ReplaceAllString(cli(t, s, string(steps), protocol, "--no-raw"), "")
				if got, want := <-popped, "1) \"queue\"\n2) \"served\"\n"; got != want {
					t.Errorf("%s: BLPOP: got %q, want %q", k.name, got, want)
				}
				printed = append(printed, out)
			}
			sameLines(t, printed[0], printed[1])
			if n := strings.Count(printed[1], "\n"); n < 60 {
				t.Errorf("only %d lines:\n%s", n, printed[1])
			}
		})
	}
}

// tookLong is what redis-cli adds to a reply that came after half a second or later.
var tookLong = regexp.MustCompile(`(?m)^\(\d+\.\d\ds\)\n`)

// sameLines reports the first line in which two outputs differ.
func sameLines(t *testing.T, want, got string) {
	t.Helper()
	wanted, lines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i, line := range lines {
		if i >= len(wanted) || line != wanted[i] {
			t.Errorf("line %d: got %q, want %q", i+1, line, wanted[min(i, len(wanted)-1)])
			return
		}
	}
	if len(lines) < len(wanted) {
		t.Errorf("got %d lines, want %d", len(lines), len(wanted))
	}
}
