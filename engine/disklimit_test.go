package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// fillDisk puts keys until the limit refuses one, and returns how many it took.
func fillDisk(t *testing.T, db *DB, from int) (next int) {
	t.Helper()
	value := make([]byte, 1000)
	for i := from; ; i++ {
		err := db.Put(fmt.Appendf(nil, "key:%06d", i), value)
		switch {
		case errors.Is(err, ErrDiskLimit):
			return i
		case err != nil:
			t.Fatalf("Put: %v", err)
		case i-from > 50_000:
			t.Fatal("the limit refuses nothing")
		}
	}
}

func TestDiskLimit(t *testing.T) {
	for _, noPreallocate := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoPreallocate=%v", noPreallocate), func(t *testing.T) { testDiskLimit(t, noPreallocate) })
	}
}

func testDiskLimit(t *testing.T, noPreallocate bool) {
	t.Helper()
	const limit = 8 << 20
	db := mustOpen(t, t.TempDir(), Options{
		DataFileBytes: 1 << 20, MergeDeadBytes: -1, ScrubInterval: -1, NoPreallocate: noPreallocate,
	})
	defer mustClose(t, db)
	used := func() int64 {
		db.disk.look(0)
		return db.DiskUsed()
	}
	db.SetMaxDisk(limit)
	taken := fillDisk(t, db, 0)
	// What is reserved, and hint files, which are written later, take a part.
	if taken < 4000 || taken > 8400 {
		t.Errorf("%d values of 1000 bytes were taken", taken)
	}
	if n := used(); n > limit+1<<20 {
		t.Errorf("%d bytes are on the disk, the limit is %d", n, limit)
	}
	if st := db.Stats(); st.MaxDisk != limit || st.DiskUsed < limit/2 {
		t.Errorf("stats: used %d, limit %d", st.DiskUsed, st.MaxDisk)
	}
	if _, err := db.Get([]byte("key:000000")); err != nil {
		t.Errorf("Get: %v", err)
	}
	for i := range taken / 2 {
		if err := db.Delete(fmt.Appendf(nil, "key:%06d", i)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	if err := db.Merge(context.Background(), 0); err != nil {
		t.Fatalf("Merge: %v", err)
	}
	if n := used(); n > limit*3/4 {
		t.Errorf("%d bytes are on the disk after the merge", n)
	}
	if more := fillDisk(t, db, taken) - taken; more < taken/4 {
		t.Errorf("%d more values were taken after half of %d were deleted", more, taken)
	}
	db.SetMaxDisk(0)
	if err := db.Put([]byte("k"), make([]byte, 100_000)); err != nil {
		t.Errorf("Put without a limit: %v", err)
	}
}

// Room that two files reserve at a time, and RESERVE, are both counted before they are
// made: the limit is not passed, whoever comes first.
func TestDiskLimitCountsClaims(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{DataFileBytes: 64 << 20, MergeDeadBytes: -1, ScrubInterval: -1})
	defer mustClose(t, db)
	waitFor(t, "RESERVE is made", func() bool { return db.reserveLeft() > 0 })
	db.SetMaxDisk(db.DiskUsed() + 24<<20)
	d := &db.disk
	if to, err := d.room(0, 1<<20, 16<<20, false); to != 16<<20 || err != nil {
		t.Fatalf("the first gets %d, %v", to, err)
	}
	d.look(0) // which sees nothing of it
	if to, err := d.room(0, 1<<20, 16<<20, false); to != 1<<20 || err != nil {
		t.Fatalf("the second gets %d, %v", to, err)
	}
	if _, err := d.room(0, 16<<20, 16<<20, false); !errors.Is(err, ErrDiskLimit) {
		t.Fatalf("the third gets room: %v", err)
	}
	d.settle(16<<20, 0)
	d.settle(1<<20, 0)
	r := &db.merge.reserve
	r.mu.Lock()
	r.bytes = 0
	r.mu.Unlock()
	if err := db.opt.FS.Remove(filepath.Join(db.dir, reserveName)); err != nil {
		t.Fatal(err)
	}
	db.SetMaxDisk(1 << 40)
	before := db.DiskUsed()
	db.keepReserve()
	if got := d.estimate() - before; got != db.reserveSize() {
		t.Errorf("RESERVE counts %d bytes, want %d", got, db.reserveSize())
	}
}

// When the limit is reached, a merge begins by itself, whatever file the garbage is in.
func TestDiskLimitStartsMerges(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{DataFileBytes: 8 << 20, ScrubInterval: -1, NoPreallocate: true})
	defer mustClose(t, db)
	db.SetMaxDisk(6 << 20) // of which RESERVE takes a third
	taken := fillDisk(t, db, 0)
	for i := range taken / 2 {
		if err := db.Delete(fmt.Appendf(nil, "key:%06d", i)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	waitFor(t, "there is room again", func() bool { return db.Put([]byte("k"), make([]byte, 1000)) == nil })
}

// TestMergeHeedsTheDiskLimit: a merge of files that are half dead takes no more at a
// time than the limit leaves, and if that is too little for any, one file's worth.
func TestMergeHeedsTheDiskLimit(t *testing.T) {
	const fileBytes, keys = 1 << 20, 8000
	for _, tt := range []struct {
		name       string
		leaves     int64 // what the limit leaves
		beyond     int64 // by how much it may be exceeded, at most
		leastSteps int
	}{
		{"all at once", 64 << 20, 0, 1},
		{"one or two at a time", 3 * fileBytes / 2, 0, 3},
		{"one at a time, beyond it", 0, 3 * fileBytes / 4, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := mustOpen(t, t.TempDir(), Options{DataFileBytes: fileBytes, MergeDeadBytes: -1, ScrubInterval: -1, NoPreallocate: true})
			defer mustClose(t, db)
			value := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 1000) }
			for i := range keys {
				if err := db.Put(fmt.Appendf(nil, "key:%06d", i), []byte(value(i))); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < keys; i += 2 {
				if err := db.Delete(fmt.Appendf(nil, "key:%06d", i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.rotateAndSeal(); err != nil { // as Merge does; hint files are written
				t.Fatal(err)
			}
			db.keepReserve()
			db.disk.look(0)
			limit := db.DiskUsed() + tt.leaves
			db.SetMaxDisk(limit)
			steps, most := 0, int64(0)
			db.merge.step = func(s mergeStep) {
				if s == stepCopied {
					db.disk.look(0)
					most = max(most, db.DiskUsed())
					steps++
				}
			}
			if err := db.Merge(t.Context(), 0.1); err != nil {
				t.Fatalf("Merge: %v", err)
			}
			if most > limit+tt.beyond {
				t.Errorf("%d bytes were on the disk, %d more than the limit, want at most %d", most, most-limit, tt.beyond)
			}
			if steps < tt.leastSteps {
				t.Errorf("%d groups, want %d or more", steps, tt.leastSteps)
			}
			db.disk.look(0)
			if n := db.DiskUsed(); n > keys*1000*6/10+fileBytes {
				t.Errorf("%d bytes are on the disk after it", n)
			}
			for i := range keys {
				got, err := db.Get(fmt.Appendf(nil, "key:%06d", i))
				if i%2 == 0 && !errors.Is(err, ErrNotFound) || i%2 == 1 && (err != nil || string(got) != value(i)) {
					t.Fatalf("key %d: %.20q, %v", i, got, err)
				}
			}
		})
	}
}

// While larger writes are refused and small ones are taken, the limit is reached, and
// the log says so once. It never says more than one thing in ten seconds.
func TestDiskLimitIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	var now atomic.Int64
	now.Store(1 << 41)
	db := mustOpen(t, t.TempDir(), Options{
		MergeDeadBytes: -1, ScrubInterval: -1, NoPreallocate: true,
		NowMs: now.Load, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	defer mustClose(t, db)
	lines := func(what string, reached, notReached int) {
		t.Helper()
		yes, no := strings.Count(log.String(), "reached=true"), strings.Count(log.String(), "reached=false")
		if yes != reached || no != notReached {
			t.Errorf("%s: logged %d times that it is reached and %d times that it is not, want %d and %d\n%s",
				what, yes, no, reached, notReached, log.String())
		}
	}
	mixed := func() {
		t.Helper()
		for range 50 {
			if err := db.disk.check(1000); !errors.Is(err, ErrDiskLimit) {
				t.Fatalf("1000 bytes where there is room for 500: %v", err)
			}
			if err := db.disk.check(10); err != nil {
				t.Fatalf("10 bytes where there is room for 500: %v", err)
			}
			if !db.Stats().MaxDiskReached {
				t.Fatal("the limit is not reached")
			}
		}
	}
	if err := db.Put([]byte("k"), make([]byte, 100_000)); err != nil {
		t.Fatalf("Put: %v", err)
	}
	if err := db.Sync(); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	db.keepReserve() // from here on nothing grows by itself
	db.disk.look(0)
	used := db.DiskUsed()
	db.SetMaxDisk(used + 500)
	if db.Stats().MaxDiskReached {
		t.Error("the limit is reached before anything was refused")
	}
	mixed()
	lines("in one moment", 1, 0)
	now.Add(2 * diskSayMs)
	mixed()
	lines("later", 1, 0)
	for range 20 {
		db.SetMaxDisk(used + 1<<20)
		if db.Stats().MaxDiskReached {
			t.Error("the limit is reached after it was raised")
		}
		db.SetMaxDisk(used - 1)
		if !db.Stats().MaxDiskReached {
			t.Error("the limit is not reached with more than that on the disk")
		}
	}
	lines("back and forth", 1, 1)
	now.Add(diskSayMs)
	db.Stats()
	lines("in the end", 2, 1)
}

// A hint file is not written beyond the limit: the database works and opens without it,
// says so, and makes it once a merge has made room.
func TestDiskLimitSkipsHints(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	opt := Options{
		DataFileBytes: 1 << 20, MergeDeadBytes: -1, ScrubInterval: -1, NoPreallocate: true,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	db := mustOpen(t, dir, opt)
	db.keepReserve()
	const files = 3
	put := func(file int) {
		t.Helper()
		for i := range 2000 {
			if err := db.Put(fmt.Appendf(nil, "key:%d:%06d", file, i), []byte("a value that is not inline")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range files {
		db.SetMaxDisk(0)
		put(n)
		db.disk.look(0)
		db.SetMaxDisk(db.DiskUsed() + 2000)
		if err := db.rotateAndSeal(); err != nil {
			t.Fatal(err)
		}
		db.makeQueuedHints(db.hints.takeAll())
		db.disk.look(0)
		if used, limit := db.DiskUsed(), db.disk.limit.Load(); used > limit {
			t.Errorf("%d bytes are on the disk, the limit is %d", used, limit)
		}
	}
	if n := db.Stats().HintlessFiles; n != files {
		t.Errorf("%d files have no hint file, want %d", n, files)
	}
	if n := strings.Count(log.String(), "no room for hint files"); n != 1 {
		t.Errorf("said %d times that there is no room:\n%s", n, log.String())
	}
	mustClose(t, db)

	db = mustOpen(t, dir, opt)
	waitFor(t, "the hint files are made by the next Open", func() bool {
		names, err := filepath.Glob(filepath.Join(dir, "*"+hintSuffix))
		return err == nil && len(names) >= files
	})
	// A merge of what is all dead makes the room for the hint file of what is not.
	put(files)
	for i := range 2000 {
		if err := db.Delete(fmt.Appendf(nil, "key:0:%06d", i)); err != nil {
			t.Fatal(err)
		}
	}
	db.disk.look(0)
	db.SetMaxDisk(db.DiskUsed() + 2000)
	if err := db.rotateAndSeal(); err != nil {
		t.Fatal(err)
	}
	db.makeQueuedHints(db.hints.takeAll())
	if n := db.Stats().HintlessFiles; n != 1 {
		t.Errorf("%d files have no hint file, want 1", n)
	}
	if err := db.Merge(t.Context(), 0.9); err != nil {
		t.Fatalf("Merge: %v", err)
	}
	if n := db.Stats().HintlessFiles; n != 0 {
		t.Errorf("%d files have no hint file after the merge", n)
	}
	mustClose(t, db)
}

// A merge by hand at the limit does what there is room for. If nothing is dead there is
// nothing to do, which is no failure; if something is and cannot be given back, the error
// says that it is the limit, or the disk.
func TestMergeWithoutRoom(t *testing.T) {
	x := newTrusted(t, func(o *Options) {
		o.DataFileBytes, o.NoPreallocate, o.ScrubInterval = 64<<10, true, -1
	})
	x.fill("a", 500)
	x.seal()
	x.db.keepReserve()
	x.seal()
	x.db.disk.look(0)
	x.db.SetMaxDisk(x.db.DiskUsed())
	if err := x.db.Merge(t.Context(), 0); err != nil {
		t.Errorf("nothing is dead: %v", err)
	}
	for i := range 250 {
		x.delete(fmt.Sprintf("a%04d", 2*i))
	}
	// From here on not one file's worth is free, and there is no RESERVE.
	r := &x.db.merge.reserve
	r.mu.Lock()
	r.bytes = 0
	r.mu.Unlock()
	if err := removeIfExists(x.m, filepath.Join(crashDir, reserveName)); err != nil {
		t.Fatal(err)
	}
	x.m.mu.Lock()
	x.m.capacity = x.m.usedLocked() + 3000
	x.m.mu.Unlock()
	for limit, want := range map[int64]error{1: ErrDiskLimit, 0: ErrNoSpace} {
		x.db.SetMaxDisk(limit)
		if err := x.db.Merge(t.Context(), 0.3); !errors.Is(err, want) {
			t.Errorf("limit %d: got %v, want %v", limit, err, want)
		}
	}
	x.m.mu.Lock()
	x.m.capacity = 0
	x.m.mu.Unlock()
	x.close()
}
