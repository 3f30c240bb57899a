package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"bitkv/engine"
	"bitkv/resp"
)

func TestRedisLog(t *testing.T) {
	var b bytes.Buffer
	level := new(slog.LevelVar)
	level.Set(slog.LevelDebug)
	log := newLogger(&b, "redis", level)
	tests := []struct {
		do   func()
		want string
	}{
		{func() { log.Info("hello") }, `\* hello`},
		{func() { log.Warn("hello", "n", 1) }, `# hello n=1`},
		{func() { log.Error("hello", "error", errors.New("a b")) }, `# hello error="a b"`},
		{func() { log.Warn("m", "error", fmt.Errorf("resp: %w", engine.ErrClosed)) }, `# m error=closed`},
		{func() { log.Debug("hello") }, `\. hello`},
		{func() { log.Log(t.Context(), levelVerbose, "hello") }, `- hello`},
		{func() { log.Info("a\nb", "k", "x\ny", "empty", "") }, `\* a\\nb k="x\\ny" empty=""`},
		{func() { log.With("a", 1).WithGroup("g").Info("m", "b", time.Second) }, `\* m a=1 g\.b=1s`},
		{func() { log.Info("m", slog.Group("g", "b", 1)) }, `\* m g\.b=1`},
	}
	for _, tt := range tests {
		b.Reset()
		tt.do()
		re := regexp.MustCompile(`^\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ` + tt.want + "\n$")
		if !re.Match(b.Bytes()) {
			t.Errorf("%q does not match %s", b.String(), re)
		}
	}
	level.Set(logLevels["warning"])
	b.Reset()
	log.Info("hello")
	level.Set(logLevels["nothing"])
	log.Error("hello")
	if b.Len() > 0 {
		t.Errorf("logged below the level: %q", b.String())
	}
}

func TestJSONLog(t *testing.T) {
	var b bytes.Buffer
	newLogger(&b, "json", new(slog.LevelVar)).Info("hello", "n", 1, "took", 1500*time.Millisecond, "error", engine.ErrClosed)
	var line struct {
		Msg   string
		N     int
		Took  float64 // seconds
		Error string
	}
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line.Msg != "hello" || line.N != 1 || line.Took != 1.5 || line.Error != "closed" {
		t.Errorf("%q: %v", b.String(), err)
	}
}

// The banner is no JSON: it is not printed between lines of it, whoever asks for it.
func TestNoBannerInJSON(t *testing.T) {
	for format, want := range map[string]bool{"redis": true, "json": false} {
		var b bytes.Buffer
		p := process{stdout: &b}
		p.banner(&resp.Settings{LogFormat: format, AlwaysShowLogo: true})
		if got := b.Len() > 0; got != want {
			t.Errorf("%s: printed %q", format, b.String())
		}
	}
}

// A log file that was moved away is made again.
func TestLogFileRotates(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	f, err := newAppendFile(name)
	if err != nil {
		t.Fatal(err)
	}
	log := newLogger(f, "redis", new(slog.LevelVar))
	log.Info("one")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	log.Info("two")
	for file, want := range map[string]string{name + ".1": "one", name: "two"} {
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(data, []byte(want)) || bytes.Count(data, []byte("\n")) != 1 {
			t.Errorf("%s: %q, %v", file, data, err)
		}
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "c.conf")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (osFiles{}).ReplaceFile(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil || string(data) != "new" {
		t.Errorf("%q, %v", data, err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
