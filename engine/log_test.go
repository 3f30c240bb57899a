package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// hookFS is the operating system's file system with a hook before each sync of a
// file.
type hookFS struct {
	FS
	sync func() error
}

type hookFile struct {
	File
	fs *hookFS
}

func (h *hookFS) Create(name string) (File, error) {
	f, err := h.FS.Create(name)
	return &hookFile{f, h}, err
}

func (f *hookFile) Sync() error {
	if err := f.fs.sync(); err != nil {
		return err
	}
	return f.File.Sync()
}

// hookedDB opens a database whose syncs go through the result's hook.
func hookedDB(t *testing.T, policy SyncPolicy) (*DB, *atomic.Pointer[func() error]) {
	t.Helper()
	var hook atomic.Pointer[func() error]
	opt := testOptions()
	opt.Sync = policy
	opt.DataFileBytes = 8 << 20
	opt.FS = &hookFS{OSFS(), func() error {
		if fn := hook.Load(); fn != nil {
			return (*fn)()
		}
		return nil
	}}
	return mustOpen(t, t.TempDir(), opt), &hook
}

// With SyncAlways, those who wait at the same time share one sync.
func TestGroupCommit(t *testing.T) {
	db, hook := hookedDB(t, SyncAlways)
	defer mustClose(t, db)
	const writers = 50
	var syncs, waiting atomic.Int64
	all := make(chan struct{})
	release := sync.OnceFunc(func() { close(all) })
	defer release() // before the database is closed

	slow := func() error { //nolint:unparam // the type of the hook
		syncs.Add(1)
		<-all // the first sync ends when everybody has committed
		return nil
	}
	hook.Store(&slow)
	var work sync.WaitGroup
	for i := range writers {
		work.Go(func() {
			key := fmt.Appendf(nil, "key-%d", i)
			tx := db.BeginKey(key, true)
			err := tx.Put(0, key, Meta{}, []byte("value"))
			seq, commitErr := tx.Commit()
			waiting.Add(1)
			if err := errors.Join(err, commitErr, db.Ack(seq)); err != nil {
				t.Error(err)
			}
			if got := db.log.syncedSeq.Load(); got < seq {
				t.Errorf("acknowledged %d, synced is %d", seq, got)
			}
		})
	}
	waitFor(t, "all commits", func() bool { return waiting.Load() == writers })
	release()
	work.Wait()
	if n := syncs.Load(); n < 1 || n > 3 {
		t.Errorf("%d commits took %d syncs", writers, n)
	}
}

// A reader that saw a value which is not synced waits for the sync, too.
func TestReadersOfUnsyncedDataWait(t *testing.T) {
	db, hook := hookedDB(t, SyncAlways)
	// From the beginning: the background may sync at any moment.
	fail := func() error { return syscall.EIO }
	hook.Store(&fail)
	key := []byte("key")
	tx := db.BeginKey(key, true)
	if err := tx.Put(0, key, Meta{}, []byte("value")); err != nil {
		t.Fatal(err)
	}
	written, err := tx.Commit()
	if err != nil {
		t.Fatal(err)
	}
	var set ShardSet
	set.Add(db.ShardOf(key))
	tx = db.Begin(&set, false)
	if _, ok := tx.Get(0, key); !ok {
		t.Fatal("the key is not there")
	}
	seq, err := tx.Commit()
	if err != nil || seq < written {
		t.Fatalf("the reader got %d, %v, the writer %d", seq, err, written)
	}
	if err := db.Ack(seq); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Ack of the reader: got %v", err)
	}
	hook.Store(nil)
	if err := db.Ack(written); !errors.Is(err, ErrFailed) {
		t.Errorf("Ack after a failed sync: got %v", err)
	}
	if err := db.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: got %v", err)
	}
}

// When a sync in the background takes longer than a second, nothing more is
// acknowledged before it ends.
func TestAcknowledgingWaitsForALateSync(t *testing.T) {
	db, hook := hookedDB(t, SyncEverySecond)
	defer mustClose(t, db)
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release() // before the database is closed

	slow := func() error { <-held; return nil } //nolint:unparam // the type of the hook
	hook.Store(&slow)
	first, done := make(chan error, 1), make(chan error, 1)
	go func() { first <- db.Put([]byte("first"), []byte("value")) }() // which may be late itself
	waitFor(t, "the sync to be late", db.log.late.Load)
	go func() { done <- db.Put([]byte("second"), []byte("value")) }()
	select {
	case err := <-done:
		t.Errorf("acknowledged while the sync is late: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if err := errors.Join(<-first, <-done); err != nil {
		t.Error(err)
	}
}

// A failed sync under SyncEverySecond: what it lost is written to a new file, and
// everything can be read during and after.
func TestRescue(t *testing.T) {
	// Time stands still, so that the background syncs nothing before the test does.
	synctest.Test(t, testRescue)
}

func testRescue(t *testing.T) {
	t.Helper()
	db, hook := hookedDB(t, SyncEverySecond)
	inTx(t, db, func(tx *Tx) { fillSample(t, tx) })
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	inTx(t, db, func(tx *Tx) { scramble(t, tx) })
	for i := range 100 {
		if err := db.Put(fmt.Appendf(nil, "more-%d", i), fmt.Appendf(nil, "value-%0100d", i)); err != nil {
			t.Fatal(err)
		}
	}
	want := dumpDB(t, db)
	old := db.log.active.number
	var failed atomic.Bool
	once := func() error {
		if failed.CompareAndSwap(false, true) {
			return syscall.EIO
		}
		return nil
	}
	hook.Store(&once)
	if err := db.Sync(); err != nil {
		t.Fatalf("Sync: got %v, want a rescue", err)
	}
	if !failed.Load() || db.log.active.number == old {
		t.Errorf("file %d is still active", old)
	}
	if got := dumpDB(t, db); got != want {
		t.Errorf("after the rescue:\n%s\nwant:\n%s", got, want)
	}
	checkLive(t, db)
	if err := db.Put([]byte("after"), []byte("the rescue")); err != nil {
		t.Fatal(err)
	}
	want = dumpDB(t, db)
	mustClose(t, db)
	db = mustOpen(t, db.dir, testOptions())
	checkLive(t, db)
	if got := dumpDB(t, db); got != want {
		t.Errorf("after reopening:\n%s\nwant:\n%s", got, want)
	}
	mustClose(t, db)
}

// A sync that fails right after SyncNever: the tail is gone, so nothing can be
// written again, and the database stops.
func TestNoRescueWithoutTheTail(t *testing.T) {
	db, hook := hookedDB(t, SyncNever)
	for i := range 3000 {
		if err := db.Put(fmt.Appendf(nil, "key-%d", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	fail := func() error { return syscall.EIO }
	hook.Store(&fail)
	db.SetSync(SyncEverySecond)
	if err := db.Sync(); !errors.Is(err, ErrFailed) {
		t.Errorf("Sync: got %v", err)
	}
	hook.Store(nil)
	if err := db.Put([]byte("key"), nil); !errors.Is(err, ErrFailed) {
		t.Errorf("Put: got %v", err)
	}
	if err := db.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: got %v", err)
	}
}

func TestSyncBytes(t *testing.T) {
	db, _ := hookedDB(t, SyncBytes)
	defer mustClose(t, db)
	db.opt.SyncBytes = 10 << 10
	before := db.Stats().Syncs
	for i := range 100 {
		if err := db.Put(fmt.Appendf(nil, "key-%d", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "a sync after the bytes", func() bool {
		s := db.Stats()
		return s.Syncs > before && db.log.unsynced() < db.opt.SyncBytes
	})
}
