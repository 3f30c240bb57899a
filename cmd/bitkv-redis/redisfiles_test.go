package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server that makes a new database beside the files of a Redis says that it does not
// read them, once: the next start finds its own database.
func TestFilesOfRedisAreSaid(t *testing.T) {
	const warning = "files of Redis are in the data directory"
	for _, tt := range []struct {
		name  string
		make  []string // in the data directory; with a slash at the end a directory
		args  []string
		named []string
	}{
		{"a snapshot", []string{"dump.rdb"}, nil, []string{"dump.rdb"}},
		{"both logs", []string{"appendonlydir/", "appendonly.aof"}, nil, []string{"appendonlydir", "appendonly.aof"}},
		{
			"other names",
			[]string{"a.rdb", "aofs/"},
			[]string{"--dbfilename", "a.rdb", "--appenddirname", "aofs"},
			[]string{"a.rdb", "aofs"},
		},
		{"not as configured", []string{"dump.rdb"}, []string{"--dbfilename", "a.rdb"}, nil},
		{"no file", []string{"dump.rdb/"}, nil, nil},
		{"nothing", nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range tt.make {
				var err error
				if path := filepath.Join(dir, name); strings.HasSuffix(name, "/") {
					err = os.Mkdir(path, 0o700)
				} else {
					err = os.WriteFile(path, []byte("REDIS0010"), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			r := serve(t, dir, tt.args...)
			if got := r.ask("SET k v"); got != "+OK" {
				t.Errorf("SET: %s", got)
			}
			r.ask("SHUTDOWN")
			if code := r.exit(); code != 0 {
				t.Fatalf("exit code %d: %s", code, r.errors())
			}
			var said string
			for line := range strings.Lines(r.out()) {
				if strings.Contains(line, warning) {
					said += line
				}
			}
			want := min(len(tt.named), 1)
			if strings.Count(said, "\n") != want {
				t.Errorf("%d lines, want %d: %s", strings.Count(said, "\n"), want, r.out())
			}
			for _, name := range tt.named {
				if !strings.Contains(said, filepath.Join(dir, name)) {
					t.Errorf("%s is not named: %s", name, said)
				}
			}
			if again := serve(t, dir, tt.args...); strings.Contains(again.out(), warning) || again.ask("GET k") != "v" {
				t.Errorf("the next start: %s", again.out())
			}
		})
	}
}
