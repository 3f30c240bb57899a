package engine

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"
)

func TestProgressTells(t *testing.T) {
	var told []Progress
	var p progress
	p.begin("work", 1000, func(pr Progress) { told = append(told, pr) })
	p.started = time.Now().Add(-time.Second) // a quarter of a second later it is due
	p.add(250, 4)
	p.last.Store(int64(time.Hour)) // it was told just now
	p.set(300)
	p.end()
	p.last.Store(int64(time.Hour))
	p.set(1200)
	p.end()
	if len(told) != 3 {
		t.Fatalf("told %d times, want 3: %+v", len(told), told)
	}
	for i, want := range []Progress{
		{Work: "work", DoneBytes: 250, TotalBytes: 1000, Keys: 4},
		{Work: "work", DoneBytes: 300, TotalBytes: 1000, Keys: 4},
		{Work: "work", DoneBytes: 1200, TotalBytes: 1200, Keys: 4},
	} {
		got := told[i]
		if got.ETA = 0; got != want {
			t.Errorf("%d: told %+v, want %+v", i, got, want)
		}
	}
	if eta := told[0].ETA; eta < 2*time.Second {
		t.Errorf("a quarter took a second or more, and %v are said to be left", eta)
	}
}

// TestCheckAndDumpCount: how far they are is counted over all that they read.
func TestCheckAndDumpCount(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, Options{DataFileBytes: 64 << 10, MergeDeadBytes: -1, ScrubInterval: -1})
	for i := range 500 {
		if err := db.Put(fmt.Appendf(nil, "key:%d", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	names, err := OSFS().List(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{fs: OSFS(), dir: dir, names: names, report: &CheckReport{}}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	done, total := c.progress.done.Load(), c.progress.total
	if done > total || done < total*9/10 || total < 500_000 {
		t.Errorf("check: %d of %d bytes counted", done, total)
	}
	f, err := OSFS().Open(filepath.Join(dir, dataFileName(1)), true)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var last Progress
	if err := Dump(nil, filepath.Join(dir, dataFileName(1)), io.Discard, func(pr Progress) { last = pr }); err != nil {
		t.Fatal(err)
	}
	if last.Work != "dump "+dataFileName(1) || last.DoneBytes < size*9/10 || last.TotalBytes != size {
		t.Errorf("dump: told %+v of a file of %d bytes", last, size)
	}
}
