package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bitkv/engine"
)

func TestPace(t *testing.T) {
	begin := time.Unix(1000, 0)
	p := pace{every: 10 * time.Second}
	for _, tt := range []struct {
		work    string
		done    int64
		seconds float64
		due     bool
	}{
		{"load", 0, 0, false},
		{"load", 100, 9.9, false},
		{"load", 90, 10, true}, // one goroutine was overtaken by another
		{"load", 200, 10.1, false},
		{"merge", 0, 20, false}, // the clock begins again
		{"merge", 500, 29, false},
		{"merge", 1, 30, false}, // another merge
		{"merge", 500, 39, false},
		{"merge", 600, 40, true},
		{"merge", 700, 49, false},
	} {
		pr := engine.Progress{Work: tt.work, DoneBytes: tt.done, TotalBytes: 1000}
		if got := p.due(pr, begin.Add(time.Duration(tt.seconds*float64(time.Second)))); got != tt.due {
			t.Errorf("%s at %d after %v s: due is %v", tt.work, tt.done, tt.seconds, got)
		}
	}
}

func TestProgressText(t *testing.T) {
	for _, tt := range []struct {
		pr   engine.Progress
		want string
	}{
		{engine.Progress{Work: "check", DoneBytes: 430, TotalBytes: 999}, "check: 43% of 999 bytes"},
		{engine.Progress{Work: "load", DoneBytes: 1, TotalBytes: 1000, ETA: 2 * time.Second}, "load: 0% of 1.0 KB, 2s left"},
		{engine.Progress{Work: "merge", DoneBytes: 5e9, TotalBytes: 1e10, ETA: 61400 * time.Millisecond}, "merge: 50% of 10.0 GB, 1m2s left"},
		{engine.Progress{Work: "backup", TotalBytes: 999_960_000}, "backup: 0% of 1.0 GB"},
		{engine.Progress{Work: "backup"}, "backup: 0% of 0 bytes"},
	} {
		if got := progressText(tt.pr); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestProgressFields(t *testing.T) {
	for _, tt := range []struct {
		pr   engine.Progress
		want string
	}{
		{
			engine.Progress{DoneBytes: 430, TotalBytes: 1000, ETA: 1200 * time.Millisecond, Keys: 7},
			"percent=43 done_bytes=430 total_bytes=1000 eta=2s keys=7",
		},
		{engine.Progress{DoneBytes: 999, TotalBytes: 1000, ETA: time.Millisecond}, "percent=99 done_bytes=999 total_bytes=1000 eta=1s"},
		{engine.Progress{DoneBytes: 1000, TotalBytes: 1000}, "percent=100 done_bytes=1000 total_bytes=1000"},
	} {
		var b bytes.Buffer
		newLogger(&b, "redis", new(slog.LevelVar)).Info("loading", progressFields(tt.pr)...)
		if !strings.HasSuffix(b.String(), " * loading "+tt.want+"\n") {
			t.Errorf("got %q, want %q at its end", b.String(), tt.want)
		}
	}
}

// What nobody watches is said every ten seconds, whoever says it.
func TestPaceOf(t *testing.T) {
	if paceOf(true) != time.Second || paceOf(false) != 10*time.Second {
		t.Errorf("got %v and %v", paceOf(true), paceOf(false))
	}
}

// TestWatchIsSilentAtFirst: what does not take long says nothing, and its error is
// that of the work.
func TestWatchIsSilentAtFirst(t *testing.T) { synctest.Test(t, watchIsSilentAtFirst) }

func watchIsSilentAtFirst(t *testing.T) {
	t.Helper()
	var out, errOut bytes.Buffer
	p := process{stdout: &out, stderr: &errOut}
	failed := errors.New("it failed")
	err := p.watch(func(progress func(engine.Progress)) error {
		for i := range int64(100) {
			time.Sleep(paceOfLog/100 - 1)
			progress(engine.Progress{Work: "check", DoneBytes: i, TotalBytes: 100})
		}
		return failed
	})
	if !errors.Is(err, failed) || out.Len()+errOut.Len() > 0 {
		t.Errorf("got %v, %q, %q", err, out.String(), errOut.String())
	}
}
