package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// B1 to B8 of docs/durability.md: merges.

func TestB01TombstoneStaysWhileAnOlderPutIsOutsideTheMerge(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "old")
	x.fill("live", 20)
	x.seal()
	outside := x.names(dataSuffix)[0]
	x.delete("k")
	for range 20 {
		x.put("garbage", strings.Repeat("g", 100))
	}
	x.seal()
	x.merge(0.5)
	if got := x.names(dataSuffix)[0]; got != outside {
		t.Fatalf("the first file is %s, want %s to be outside of the merge", got, outside)
	}
	x.want("k", "-")
	x.crash(crashLost)
	x.want("k", "-")
	// A merge of everything drops the tombstone, and the put with it.
	x.merge(0)
	if err := countRecords(x, kindTombstone); err != 0 {
		t.Errorf("%d tombstones are left after a merge of everything", err)
	}
	x.crash(crashLost)
	x.want("k", "-")
	x.close()
}

// countRecords counts the records of a kind in the data files.
func countRecords(x *trusted, kind recordKind) int {
	x.t.Helper()
	n := 0
	for _, f := range x.db.files.Load().all() {
		_, _, err := f.scanFrames(fileHeaderBytes, f.flushed.Load(), func(fr *frame) error {
			return fr.eachRecord(func(r *record, _ uint64, _ int64, _ int) error {
				if r.kind == kind {
					n++
				}
				return nil
			})
		})
		if err != nil {
			x.t.Fatal(err)
		}
	}
	return n
}

// duringMerge merges everything and calls fn when the step is done.
func (x *trusted) duringMerge(step mergeStep, fn func()) {
	x.t.Helper()
	called := false
	x.db.merge.mu.Lock()
	x.db.merge.step = func(s mergeStep) {
		if s == step {
			called = true
			fn()
		}
	}
	x.db.merge.mu.Unlock()
	x.merge(0)
	x.db.merge.mu.Lock()
	x.db.merge.step = nil
	x.db.merge.mu.Unlock()
	if !called {
		x.t.Fatalf("the merge did not come to the step %s", step)
	}
}

func TestB02DeleteRacesMergeOutputOfAHigherFileID(t *testing.T) {
	for _, step := range []mergeStep{stepCopied, stepListed, stepMoved} {
		t.Run(string(step), func(t *testing.T) {
			x := newTrusted(t, nil)
			x.put("k", strings.Repeat("old", 10))
			x.put("short", "old")
			x.fill("live", 5)
			x.duringMerge(step, func() {
				x.delete("k")
				x.delete("short")
			})
			x.want("k", "-")
			x.want("short", "-")
			x.crash(crashLost)
			x.want("k", "-")
			x.want("short", "-")
			x.want("live0001", strings.Repeat("v", 100))
			x.close()
		})
	}
}

func TestB03MergeNeverWritesAnOldValueOverANewerOne(t *testing.T) {
	for _, step := range []mergeStep{stepCopied, stepListed, stepMoved} {
		t.Run(string(step), func(t *testing.T) {
			x := newTrusted(t, nil)
			old, now := strings.Repeat("old", 10), strings.Repeat("new", 10)
			x.put("k", old)
			x.put("short", "old")
			x.put("expires", old)
			x.expire("expires", 1<<60)
			x.duringMerge(step, func() {
				x.put("k", now)
				x.put("short", "new")
				x.put("expires", now)
				x.expire("expires", 1<<61)
			})
			for range 2 {
				x.want("k", now)
				x.want("short", "new")
				x.want("expires", now)
				x.crash(crashLost)
			}
			x.close()
		})
	}
}

func TestB04MergeIsCommittedByTheManifestAlone(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "old")
	x.fill("live", 30)
	x.fill("live", 30)
	x.put("k", "new")
	x.seal()
	before := x.names(dataSuffix)
	crashed := x.crashAtEveryChange(func() { x.merge(0) }, func(y *trusted, at string) {
		y.want("k", "new")
		y.want("live0029", strings.Repeat("v", 100))
		for _, name := range y.names(dataSuffix) {
			if n, _, _ := parseFileName(name); y.db.files.Load().get(n) == nil {
				t.Errorf("%s: %s is not listed and was not removed", at, name)
			}
		}
	})
	if crashed < 10 {
		t.Errorf("only %d crash points", crashed)
	}
	for _, name := range before {
		if name == before[len(before)-1] {
			continue
		}
		// Who still reads a merged file, as the background may, keeps it until then.
		waitFor(t, name+" was merged and goes", func() bool {
			_, ok := x.m.contents(filepath.Join(crashDir, name))
			return !ok
		})
	}
	x.close()
}

func TestB04MissingListedFileIsRefused(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 60)
	x.close()
	gone := x.names(dataSuffix)[0]
	x.m.setContents(filepath.Join(crashDir, gone), nil)
	before := x.m.fingerprint()
	x.wantCorrupt(gone)
	if x.m.fingerprint() != before {
		t.Error("refusing to open changed the directory")
	}
}

// A log file is listed before its first record, so one with records that is not
// listed says that MANIFEST lost something. It is never removed: not if it cannot
// be read either.
func TestB04UnlistedLogFileWithRecordsIsRefused(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "value")
	x.image(crashKept)
	name := x.names(dataSuffix)[0]
	x.damage(manifestName, func(b []byte) []byte { return b[:2*manifestPageBytes] }) // the edit that lists it is gone
	before := x.m.fingerprint()
	x.wantCorrupt(name)
	lift := x.fail(syscall.EIO, func(c memCall) bool { return c.op == opRead && filepath.Base(c.name) == name })
	if err := x.tryOpen(); !errors.Is(err, syscall.EIO) {
		t.Errorf("open with a file that cannot be read: got %v, want EIO", err)
	}
	lift()
	if x.m.fingerprint() != before {
		t.Error("refusing to open changed the directory")
	}
}

func TestB05EveryErrorOfAMergeStopsIt(t *testing.T) {
	for _, op := range []memOp{opCreate, opWrite, opSync, opSyncDir, opPreallocate, opTruncate, opRead} {
		t.Run(string(op), func(t *testing.T) {
			x := newTrusted(t, nil)
			x.put("k", strings.Repeat("k", 50))
			x.fill("live", 30)
			x.fill("live", 30)
			x.seal()
			before := x.names(dataSuffix)
			lift := x.fail(syscall.EIO, func(c memCall) bool { return c.op == op })
			err := x.db.Merge(context.Background(), 0)
			lift()
			if err == nil {
				t.Error("the merge succeeded although every call failed")
			}
			now := x.names(dataSuffix)
			for _, name := range before {
				if !strings.Contains(fmt.Sprint(now), name) {
					t.Errorf("%s is gone although the merge failed", name)
				}
			}
			x.want("k", strings.Repeat("k", 50))
			img := x.m.image(crashLost, nil)
			// The log may have failed for good: that is not the matter here.
			if err := x.db.Close(); err != nil && !errors.Is(err, ErrFailed) {
				t.Error(err)
			}
			x.m = img
			x.open()
			x.want("k", strings.Repeat("k", 50))
			x.merge(0)
			x.want("k", strings.Repeat("k", 50))
			x.close()
		})
	}
}

func TestB06DeletedKeysStayDeletedAfterAMergeWithoutOutput(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 60)
	for i := range 60 {
		x.delete(fmt.Sprintf("a%04d", i))
	}
	x.merge(0)
	if n := countRecords(x, kindPut) + countRecords(x, kindTombstone); n != 0 {
		t.Errorf("%d records are left of an empty database", n)
	}
	for _, mode := range crashModes {
		x.crash(mode)
		if n := x.db.Len(0); n != 0 {
			t.Fatalf("crash %v: %d deleted keys are back", mode, n)
		}
	}
	x.close()
}

func TestB07MergeRunsWithReadsWritesIteratorsAndBackups(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	const keys = 200
	value := func(k, n int) string { return fmt.Sprintf("%d:%d:%s", k, n, strings.Repeat("x", 40)) }
	for k := range keys {
		x.put(fmt.Sprint(k), value(k, 0))
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	for g := range 3 {
		others.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				k := (n*7 + g) % keys
				if g == 0 {
					if err := x.db.Put(fmt.Append(nil, k), []byte(value(k, n))); err != nil {
						t.Error(err)
					}
					continue
				}
				got, err := x.db.Get(fmt.Append(nil, k))
				if err != nil || !bytes.HasPrefix(got, fmt.Appendf(nil, "%d:", k)) {
					t.Errorf("get %d: %q, %v", k, got, err)
				}
			}
		})
	}
	for i := range 15 {
		x.merge(0)
		if i%5 == 0 {
			if err := x.db.Backup(context.Background(), fmt.Sprintf("/backup%d", i)); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	others.Wait()
	x.close()
	for _, dir := range []string{crashDir, "/backup0", "/backup10"} {
		db, err := Open(dir, x.opt)
		if err != nil {
			t.Fatal(err)
		}
		for k := range keys {
			got, err := db.Get(fmt.Append(nil, k))
			if err != nil || !bytes.HasPrefix(got, fmt.Appendf(nil, "%d:", k)) {
				t.Errorf("%s: get %d: %q, %v", dir, k, got, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestB07BackupIsAPrefixAlthoughAMergeEnds lets a merge run between the sealing
// of the active file and the choice of the files, which it must not commit there:
// it leaves out a value because of one that the backup does not have.
func TestB07BackupIsAPrefixAlthoughAMergeEnds(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", strings.Repeat("old", 20))
	x.seal()
	x.put("other", strings.Repeat("v", 20))
	active := filepath.Join(crashDir, dataFileName(x.db.log.active.number))
	moved, merged := make(chan struct{}), make(chan error, 1)
	x.db.merge.step = func(s mergeStep) {
		if s == stepMoved {
			close(moved)
		}
	}
	between := false
	x.m.setHook(func(c memCall) memFault {
		if c.op != opTruncate || c.name != active || between {
			return memFault{}
		}
		// The backup seals it. Commits go to the next file already.
		between = true
		x.m.mu.Unlock()
		defer x.m.mu.Lock()
		x.put("k", strings.Repeat("new", 20))
		go func() { merged <- x.db.mergeIfDue() }()
		select {
		case <-moved:
		case <-time.After(time.Minute):
			t.Error("the merge does not come to its end")
		}
		select {
		case err := <-merged:
			merged <- err
		case <-time.After(200 * time.Millisecond): // it waits, as it should
		}
		return memFault{}
	})
	if err := x.db.Backup(context.Background(), "/backup"); err != nil {
		t.Fatal(err)
	}
	if !between {
		t.Error("the backup did not seal the active file")
	}
	if err := <-merged; err != nil {
		t.Error(err)
	}
	x.m.setHook(nil)
	if n := x.db.Stats().Merge.Merges; n != 1 {
		t.Errorf("%d merges ran, want 1", n)
	}
	x.want("k", strings.Repeat("new", 20))
	x.close()
	db, err := Open("/backup", x.opt)
	if err != nil {
		t.Fatal(err)
	}
	x.db = db
	x.want("k", strings.Repeat("old", 20))
	x.want("other", strings.Repeat("v", 20))
	x.close()
}

// TestMergeSyncsTheLogBeforeItDropsWhatTheLogReplaced: a value is dead because
// of a newer one that is in the active file and not on the disk yet.
func TestMergeSyncsTheLogBeforeItDropsWhatTheLogReplaced(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	x.put("replaced", strings.Repeat("old", 20))
	x.put("deleted", strings.Repeat("old", 20))
	x.seal()
	x.put("replaced", strings.Repeat("new", 20))
	x.delete("deleted")
	if err := x.db.mergeIfDue(); err != nil {
		t.Fatal(err)
	}
	if n := x.db.Stats().Merge.Merges; n != 1 {
		t.Fatalf("%d merges ran, want 1", n)
	}
	x.crash(crashLost)
	// The merge synced the log: what it left out is not the newest any more.
	x.want("replaced", strings.Repeat("new", 20))
	x.want("deleted", "-")
	x.close()
}

func TestB08TheActiveFileIsNeverAnInput(t *testing.T) {
	x := newTrusted(t, nil)
	for range 60 {
		x.put("k", strings.Repeat("g", 100))
	}
	active := x.db.log.active.number
	for _, f := range append(x.db.chooseFiles(0).files, x.db.chooseFiles(0.1).files...) {
		if f.number >= active || !f.sealed.Load() {
			t.Errorf("file %d would be merged; the active file is %d", f.number, active)
		}
	}
	x.close()
}
