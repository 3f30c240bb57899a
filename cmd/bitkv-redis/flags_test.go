package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestServerArgs(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
		err  string
	}{
		{"nothing", nil, nil, ""},
		{"a file", []string{"a.conf"}, []string{"--", "a.conf"}, ""},
		{"standard input", []string{"-"}, []string{"--", "-"}, ""},
		{"a file and a directive", []string{"a.conf", "--port", "1"}, []string{"--port=1", "--", "a.conf"}, ""},
		{"several words", []string{"--save", "60", "1", "--port", "1"}, []string{"--save=60 1", "--port=1"}, ""},
		{"several words in one", []string{"--save", "60 1"}, []string{"--save=60 1"}, ""},
		{"one word with a blank", []string{"--requirepass", "a b"}, []string{`--requirepass="a b"`}, ""},
		{"an empty word", []string{"--save", ""}, []string{`--save=""`}, ""},
		{"words with a minus", []string{"--bind", "127.0.0.1", "-::1"}, []string{"--bind=127.0.0.1 -::1"}, ""},
		{"inline", []string{"--port=1", "--save=60 1"}, []string{"--port=1", "--save=60 1"}, ""},
		{"alias", []string{"--slave-read-only", "no"}, []string{"--replica-read-only=no"}, ""},
		{"any case", []string{"--PORT", "1"}, []string{"--port=1"}, ""},
		{"no word", []string{"--port"}, []string{"--port="}, ""},
		{"help", []string{"--port", "1", "--help"}, []string{"--help"}, ""},
		{"version", []string{"-v"}, []string{"-v"}, ""},
		{"unknown", []string{"--porrt", "1"}, nil, "command line: --porrt: unknown directive"},
		{"not supported", []string{"--user", "alice", "on"}, nil, "command line: --user: not supported: ACL users are not built yet."},
		{"not supported, inline", []string{"--LoadModule=a.so"}, nil, "command line: --LoadModule=a.so: not supported: Modules written for Redis cannot be loaded."},
		{"one minus", []string{"-port", "1"}, nil, "command line: -port: unknown directive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := serverArgs(tt.args)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A configuration that cannot be used ends the program with 1 and one line, and
// touches nothing.
func TestBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "bad.conf")
	write := func(text string) {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	tests := []struct {
		name, file string
		args, env  []string
		want       string
	}{
		{"unknown in the file", "# c\nnonsense 1\n", nil, nil, conf + " line 2: nonsense: unknown directive"},
		{"bad value in the file", "port x\n", nil, nil, conf + " line 1: port: argument couldn't be parsed into an integer"},
		{"bad flag", "", []string{"--port", "70000"}, nil, "command line: port: argument must be between 0 and 65535 inclusive"},
		{"no value", "", []string{"--port"}, nil, "command line: port: wrong number of arguments"},
		{"unknown flag", "", []string{"--nonsense"}, nil, "command line: --nonsense: unknown directive"},
		{"bad environment", "", nil, []string{"BITKV_PORT=x"}, "environment variable BITKV_PORT: port: argument couldn't be parsed into an integer"},
		{"refused", "", []string{"--tls-port", "1"}, nil, "command line: tls-port: not supported: TLS is not built yet."},
		{"a log that cannot be written", "", []string{"--logfile", filepath.Join(dir, "no", "log")}, nil, "logfile " + filepath.Join(dir, "no", "log") + ": no such file or directory"},
		{"nothing to listen on", "", []string{"--port", "0"}, nil, "port is 0 and unixsocket is empty: there is nothing to listen on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(tt.file)
			var out, errs bytes.Buffer
			p := process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: tt.env}
			code := p.run(append([]string{conf, "--dir", data}, tt.args...))
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if got, want := errs.String(), "bitkv-redis: "+tt.want+"\n"; got != want {
				t.Errorf("standard error\n%swant\n%s", got, want)
			}
			if out.Len() > 0 {
				t.Errorf("standard output %q", out.String())
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("the data directory was made: %v", err)
			}
		})
	}
}

// What is neither a command nor a file is said to be that.
func TestMistypedCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, want := range map[string]string{
		"frob":        "frob is neither a command nor a configuration file; see bitkv-redis -h",
		"./frob.conf": "./frob.conf: no such file or directory",
	} {
		if code, out, errs := tool(t, name); code != 1 || out != "" || errs != "bitkv-redis: "+want+"\n" {
			t.Errorf("%s: code %d, %q, %q", name, code, out, errs)
		}
	}
	want := "bitkv-redis: chekc is neither a command nor a configuration file; see bitkv-redis -h\n"
	if code, out, errs := tool(t, "chekc", "d"); code != 1 || out != "" || errs != want {
		t.Errorf("chekc d: code %d, %q, %q", code, out, errs)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"engine: open d: engine: MANIFEST is corrupt": "open d: MANIFEST is corrupt",
		"a: resp: types: b\nengine: c":                "a: b; c",
		"file my-engine: x":                           "file my-engine: x",
	} {
		if got := oneLine(errors.New(text)); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"-v"}, {"--version"}} {
		var out bytes.Buffer
		p := process{stdout: &out, stderr: &out}
		if code := p.run(args); code != 0 || !strings.HasPrefix(out.String(), "bitkv-redis v=") {
			t.Errorf("%v: code %d, %q", args, code, out.String())
		}
	}
	for _, args := range [][]string{{"help", "repair"}, {"repair", "--help"}} {
		var out bytes.Buffer
		p := process{stdout: &out, stderr: &out}
		if code := p.run(args); code != 0 || !strings.Contains(out.String(), "bitkv-redis repair") {
			t.Errorf("%v: code %d, %q", args, code, out.String())
		}
	}
	for _, args := range [][]string{{"-h"}, {"--help"}} {
		var out bytes.Buffer
		p := process{stdout: &out, stderr: &out}
		if code := p.run(args); code != 0 || !strings.Contains(out.String(), "--appendfsync") || !strings.Contains(out.String(), "check") {
			t.Errorf("%v: code %d, %q", args, code, out.String())
		}
	}
}
