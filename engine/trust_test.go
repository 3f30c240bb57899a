package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// One test for each way in which a Bitcask loses data or brings deleted keys back,
// named after its row (B1 to B30) in docs/durability.md. Those of merges are in
// trust_merge_test.go, those of damaged files in trust_disk_test.go.

func TestB16SequenceNumbersAreNeverUsedAgain(t *testing.T) {
	x := newTrusted(t, nil)
	var last uint64
	next := func() {
		t.Helper()
		tx := beginAll(x.db, true)
		if err := tx.Put(0, []byte("k"), Meta{}, []byte("v")); err != nil {
			t.Fatal(err)
		}
		seq, err := tx.Commit()
		if err != nil {
			t.Fatal(err)
		}
		if err := x.db.Ack(seq); err != nil {
			t.Fatal(err)
		}
		if seq <= last {
			t.Errorf("sequence number %d comes after %d", seq, last)
		}
		last = seq
	}
	for range 3 {
		next()
		x.crash(crashLost)
		next()
		x.delete("k")
		last = x.db.log.endSeq.Load()
		x.merge(0)
		x.crash(crashKept)
		next()
		x.delete("k")
		last = x.db.log.endSeq.Load()
		x.merge(0)
		x.close()
		x.open()
	}
	x.close()
}

func TestB17FileNumbersGoOnAfterEveryName(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "v")
	x.close()
	for _, name := range []string{"0000000041.data", "0000000057.hint.tmp", "0000000049.data.tmp", "MANIFEST.tmp"} {
		x.m.setContents(filepath.Join(crashDir, name), []byte{})
	}
	x.open()
	x.want("k", "v")
	x.put("k", "w")
	if got := x.db.log.active.number; got < 58 {
		t.Errorf("the active file is number %d, want one above every name", got)
	}
	x.crash(crashLost)
	x.want("k", "w")
	x.close()
}

func TestB18NewFilesAndRenamesAreDurable(t *testing.T) {
	x := newTrusted(t, nil)
	for i := range 100 {
		x.put(fmt.Sprintf("k%03d", i), strings.Repeat("v", 100))
		if i%10 == 9 {
			x.crash(crashLost)
		}
	}
	for i := range 100 {
		x.want(fmt.Sprintf("k%03d", i), strings.Repeat("v", 100))
	}
	x.close()
}

func TestB19FullDiskRefusesWritesAndGoesOnByItself(t *testing.T) {
	for _, policy := range []SyncPolicy{SyncAlways, SyncEverySecond, SyncNever} {
		t.Run(fmt.Sprintf("policy=%d", policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fullDisk(t, policy) })
		})
		t.Run(fmt.Sprintf("policy=%d/nopreallocate", policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fullDiskWithoutPreallocation(t, policy) })
		})
	}
}

// untilFull makes the disk one of 4 MiB, puts values of 500 bytes until it is full, and
// returns how many were acknowledged.
func (x *trusted) untilFull() int {
	x.t.Helper()
	synctest.Wait() // for RESERVE
	x.m.mu.Lock()
	x.m.capacity = 4 << 20
	x.m.mu.Unlock()
	return x.putUntilFull(500)
}

func fullDisk(t *testing.T, policy SyncPolicy) {
	t.Helper()
	x := newTrusted(t, func(o *Options) { o.Sync, o.DataFileBytes = policy, 512<<10 })
	n := x.untilFull()
	x.want(fmt.Sprintf("k%05d", n), "-")
	x.want(fmt.Sprintf("k%05d", n-1), strings.Repeat("v", 500))
	// Deleting still works, and so does the merge that gives the room back.
	const deleted = 800
	for i := range deleted {
		if err := x.db.Delete(fmt.Appendf(nil, "k%05d", i)); err != nil {
			t.Fatalf("delete %d of %d on a full disk: %v", i, deleted, err)
		}
	}
	x.whenRoom("merge", func() error { return x.db.Merge(context.Background(), 0.5) })
	time.Sleep(3 * time.Second)
	for i := range deleted / 20 {
		x.whenRoom("put", func() error {
			return x.db.Put(fmt.Appendf(nil, "new%05d", i), bytes.Repeat([]byte("w"), 500))
		})
	}
	for _, mode := range []crashMode{crashKill, crashKept} {
		x.crash(mode)
		x.want("k00000", "-")
		x.want(fmt.Sprintf("k%05d", n-1), strings.Repeat("v", 500))
		x.want("new00000", strings.Repeat("w", 500))
	}
	x.close()
}

func fullDiskWithoutPreallocation(t *testing.T, policy SyncPolicy) {
	t.Helper()
	x := newTrusted(t, func(o *Options) {
		o.Sync, o.NoPreallocate, o.DataFileBytes = policy, true, 64<<10
	})
	n := x.untilFull()
	x.want("k00000", strings.Repeat("v", 500))
	x.m.mu.Lock()
	x.m.capacity = 0
	x.m.mu.Unlock()
	time.Sleep(3 * time.Second)
	x.put("new", "value")
	x.crash(crashKill)
	for i := range n {
		x.want(fmt.Sprintf("k%05d", i), strings.Repeat("v", 500))
	}
	x.want("new", "value")
	x.close()
}

func TestB20FailedSyncIsNotRetried(t *testing.T) {
	t.Run("always", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.put("k", "old")
		lift := x.fail(syscall.EIO, func(c memCall) bool { return c.op == opSync && strings.HasSuffix(c.name, dataSuffix) })
		if err := x.db.Put([]byte("k"), []byte("new")); !errors.Is(err, ErrFailed) {
			t.Errorf("put with a failing sync: got %v, want ErrFailed", err)
		}
		lift()
		if err := x.db.Put([]byte("other"), []byte("v")); !errors.Is(err, ErrFailed) {
			t.Errorf("put after a failed sync: got %v, want ErrFailed", err)
		}
		img := x.m.image(crashKept, nil)
		if err := x.db.Close(); err != nil && !errors.Is(err, ErrFailed) {
			t.Error(err)
		}
		x.m = img
		x.open()
		x.want("other", "-")
		x.close()
	})
	t.Run("everysec", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := newTrusted(t, func(o *Options) { o.Sync = SyncEverySecond })
			x.put("k", "value")
			var failed atomic.Bool
			x.fail(syscall.EIO, func(c memCall) bool {
				return c.op == opSync && strings.HasSuffix(c.name, dataSuffix) && !failed.Swap(true)
			})
			time.Sleep(5 * time.Second)
			if !failed.Load() {
				t.Fatal("nothing was synced within five seconds")
			}
			x.put("k2", "value")
			time.Sleep(3 * time.Second)
			x.crash(crashLost)
			x.want("k", "value")
			x.want("k2", "value")
			x.close()
		})
	})
}

func TestB21NothingIsServedThatAPowerCutCouldTakeBack(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	x.put("k", "value")
	x.crash(crashKill)
	x.want("k", "value")
	x.crash(crashLost)
	x.want("k", "value")
	x.close()
}

// clockAt is a clock that stands at ms until it is set: the background asks it, too.
func clockAt(ms int64) *atomic.Int64 {
	var now atomic.Int64
	now.Store(ms)
	return &now
}

func TestB22ExpiredRecordHidesOlderVersions(t *testing.T) {
	now := clockAt(1000)
	x := newTrusted(t, func(o *Options) { o.NowMs = now.Load })
	x.put("k", "for ever")
	x.fill("live", 20)
	x.seal()
	if err := x.db.PutExpire([]byte("k"), []byte("for a while"), 2000); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		x.put("garbage", strings.Repeat("g", 100))
	}
	x.seal()
	now.Store(3000)
	for range 2 {
		x.want("k", "-")
		x.crash(crashLost)
		x.merge(0.5)
	}
	x.want("k", "-")
	x.merge(0)
	x.crash(crashLost)
	x.want("k", "-")
	x.close()
}

func TestB23ExpiryIsDecidedForEachRecord(t *testing.T) {
	now := clockAt(1000)
	x := newTrusted(t, func(o *Options) { o.NowMs = now.Load })
	for i := range 40 {
		expire := int64(2000)
		if i == 7 {
			expire = 9000
		}
		if err := x.db.PutExpire(fmt.Appendf(nil, "k%02d", i), []byte("a value of some length"), expire); err != nil {
			t.Fatal(err)
		}
	}
	now.Store(3000)
	x.merge(0)
	x.crash(crashLost)
	x.want("k07", "a value of some length")
	x.want("k08", "-")
	x.close()
}

func TestB24ClockThatJumpsBackDoesNotReorder(t *testing.T) {
	now := clockAt(1_000_000)
	x := newTrusted(t, func(o *Options) { o.NowMs = now.Load })
	x.put("k", "first")
	now.Store(10)
	x.put("k", "second")
	x.seal()
	now.Store(5)
	x.put("k", "third")
	x.merge(0)
	x.crash(crashLost)
	x.want("k", "third")
	x.close()
}

func TestB25OneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: got %v, want ErrLocked", err)
	} else if locked, known := errors.AsType[*LockedError](err); known && (locked.PID != os.Getpid() ||
		err.Error() != "engine: open "+dir+": already open in this process") {
		t.Errorf("second open: got %q, with pid %d", err, locked.PID)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// The file stays, and is no lock any more.
	db, err = Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestB29ReadOnlyDirectoryIsAClearErrorAndCheckWorks(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 60)
	x.image(crashKill)
	x.m.readOnly = true
	before := x.m.fingerprint()
	if err := x.tryOpen(); !errors.Is(err, ErrReadOnly) {
		t.Errorf("open: got %v, want ErrReadOnly", err)
	}
	report, err := Check(x.m, crashDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Damaged() || report.Records < 60 {
		t.Errorf("check: got %+v, want no damage and at least 60 records", report)
	}
	if x.m.fingerprint() != before {
		t.Error("the directory was changed")
	}
	if _, err := Check(x.m, "/missing", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("check of a missing directory: got %v", err)
	}
}
