package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// One test for each way in which a Bitcask loses data or brings deleted keys
// back, named after its row (B1 to B30) in docs/durability.md.

// trusted is a database over a memFS.
type trusted struct {
	t   *testing.T
	m   *memFS
	opt Options
	db  *DB
}

// newTrusted opens an empty database with files of 4 KiB and no merges of its
// own. change may adapt the options.
func newTrusted(t *testing.T, change func(*Options)) *trusted {
	t.Helper()
	m := newMemFS()
	opt := Options{
		FS: m, DataFileBytes: 4 << 10, Shards: 4, Spaces: modelSpaces,
		MergeDeadBytes: -1, MergeRateBytes: -1, Sync: SyncAlways,
	}
	if change != nil {
		change(&opt)
	}
	x := &trusted{t: t, m: m, opt: opt}
	x.open()
	// A test that failed early must not leave goroutines behind.
	t.Cleanup(func() {
		if x.db == nil {
			return
		}
		if err := x.db.Close(); err != nil && !t.Failed() && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return x
}

func (x *trusted) open() {
	x.t.Helper()
	if err := x.tryOpen(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *trusted) tryOpen() (err error) {
	x.opt.FS = x.m
	x.db, err = Open(crashDir, x.opt)
	return err
}

func (x *trusted) close() {
	x.t.Helper()
	if err := x.db.Close(); err != nil {
		x.t.Fatal(err)
	}
}

// crash replaces the database by what a crash leaves of it, and opens that.
func (x *trusted) crash(mode crashMode) {
	x.t.Helper()
	x.image(mode)
	x.open()
}

// image is crash without the opening.
func (x *trusted) image(mode crashMode) {
	x.t.Helper()
	img := x.m.image(mode, rand.New(rand.NewPCG(1, 1)))
	x.close()
	x.m = img
}

func (x *trusted) put(key, value string) {
	x.t.Helper()
	if err := x.db.Put([]byte(key), []byte(value)); err != nil {
		x.t.Fatalf("put %s: %v", key, err)
	}
}

func (x *trusted) delete(key string) {
	x.t.Helper()
	if err := x.db.Delete([]byte(key)); err != nil {
		x.t.Fatalf("delete %s: %v", key, err)
	}
}

// want checks the value of a key; "-" means that it must not exist.
func (x *trusted) want(key, value string) {
	x.t.Helper()
	got, err := x.db.Get([]byte(key))
	switch {
	case value == "-" && errors.Is(err, ErrNotFound):
	case err != nil:
		x.t.Errorf("get %s: %v, want %s", key, err, brief(value))
	case string(got) != value:
		x.t.Errorf("get %s: got %s, want %s", key, brief(string(got)), brief(value))
	}
}

func (x *trusted) merge(ratio float64) {
	x.t.Helper()
	if err := x.db.Merge(context.Background(), ratio); err != nil {
		x.t.Fatalf("merge: %v", err)
	}
}

// expire changes the expiry of a key.
func (x *trusted) expire(key string, expireMs int64) {
	x.t.Helper()
	tx := beginAll(x.db, true)
	if !tx.SetExpire(0, []byte(key), expireMs) {
		x.t.Errorf("expire: %s does not exist", key)
	}
	seq, err := tx.Commit()
	if err == nil {
		err = x.db.Ack(seq)
	}
	if err != nil {
		x.t.Fatalf("expire %s: %v", key, err)
	}
}

// seal makes everything written so far immutable.
func (x *trusted) seal() {
	x.t.Helper()
	if err := x.db.rotateAndSeal(); err != nil {
		x.t.Fatal(err)
	}
}

// fill writes n keys of 100 bytes that begin with prefix.
func (x *trusted) fill(prefix string, n int) {
	x.t.Helper()
	for i := range n {
		x.put(fmt.Sprintf("%s%04d", prefix, i), strings.Repeat("v", 100))
	}
}

// names returns the files in the directory with a suffix.
func (x *trusted) names(suffix string) []string {
	x.t.Helper()
	all, err := x.m.List(crashDir)
	if err != nil {
		x.t.Fatal(err)
	}
	var names []string
	for _, name := range all {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	return names
}

// damage changes the contents of a file by fn, on the disk.
func (x *trusted) damage(name string, fn func([]byte) []byte) {
	x.t.Helper()
	path := filepath.Join(crashDir, name)
	data, ok := x.m.contents(path)
	if !ok {
		x.t.Fatalf("%s does not exist", name)
	}
	x.m.setContents(path, fn(data))
}

// wantCorrupt checks that opening is refused with a place.
func (x *trusted) wantCorrupt(file string) *CorruptError {
	x.t.Helper()
	err := x.tryOpen()
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || !errors.Is(err, ErrCorrupt) {
		if err == nil {
			x.close()
		}
		x.t.Fatalf("open: got %v, want a CorruptError in %s", err, file)
	}
	if corrupt.File != file {
		x.t.Fatalf("open: got %v, want it in %s", err, file)
	}
	return corrupt
}

// fail makes calls fail for which match is true, until the result is called.
func (x *trusted) fail(cause error, match func(memCall) bool) (lift func()) {
	x.m.setHook(func(c memCall) memFault {
		if match(c) {
			return memFault{err: cause}
		}
		return memFault{}
	})
	return func() { x.m.setHook(nil) }
}

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
	crashed := 0
	x.m.setHook(func(c memCall) memFault {
		if !c.op.changes() {
			return memFault{}
		}
		crashed++
		for _, mode := range crashModes {
			y := *x
			y.m = x.m.imageLocked(mode, rand.New(rand.NewPCG(uint64(c.n), 1)))
			y.open()
			y.want("k", "new")
			y.want("live0029", strings.Repeat("v", 100))
			for _, name := range y.names(dataSuffix) {
				if n, _, _ := parseFileName(name); y.db.files.Load().get(n) == nil {
					t.Errorf("%v, %v: %s is not listed and was not removed", c, mode, name)
				}
			}
			y.close()
		}
		return memFault{}
	})
	x.merge(0)
	x.m.setHook(nil)
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
	merged := make(chan error, 1)
	var once sync.Once
	x.m.setHook(func(c memCall) memFault {
		if c.op != opCreate || !strings.HasSuffix(c.name, hintSuffix+tmpSuffix) {
			return memFault{}
		}
		once.Do(func() {
			x.m.mu.Unlock()
			defer x.m.mu.Lock()
			x.put("k", strings.Repeat("new", 20))
			go func() { merged <- x.db.mergeIfDue() }()
			select {
			case err := <-merged:
				merged <- err
			case <-time.After(200 * time.Millisecond): // it waits, as it should
			}
		})
		return memFault{}
	})
	if err := x.db.Backup(context.Background(), "/backup"); err != nil {
		t.Fatal(err)
	}
	if err := <-merged; err != nil {
		t.Error(err)
	}
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

// untilFull puts keys k00000.. of 500 bytes until the disk is full, and returns
// how many it acknowledged.
func (x *trusted) untilFull() int {
	x.t.Helper()
	synctest.Wait() // for RESERVE
	x.m.mu.Lock()
	x.m.capacity = 400 << 10
	x.m.mu.Unlock()
	for n := range 100_000 {
		err := x.db.Put(fmt.Appendf(nil, "k%05d", n), bytes.Repeat([]byte("v"), 500))
		if errors.Is(err, ErrNoSpace) {
			return n
		}
		if err != nil {
			x.t.Fatalf("put %d: %v, want ErrNoSpace in the end", n, err)
		}
	}
	x.t.Fatal("the disk was never full")
	return 0
}

func fullDisk(t *testing.T, policy SyncPolicy) {
	t.Helper()
	x := newTrusted(t, func(o *Options) { o.Sync, o.DataFileBytes = policy, 64<<10 })
	n := x.untilFull()
	x.want(fmt.Sprintf("k%05d", n), "-")
	x.want(fmt.Sprintf("k%05d", n-1), strings.Repeat("v", 500))
	// Deleting still works, and so does the merge that gives the room back.
	const deleted = 100
	for i := range deleted {
		if err := x.db.Delete(fmt.Appendf(nil, "k%05d", i)); err != nil {
			t.Fatalf("delete %d of %d on a full disk: %v", i, deleted, err)
		}
	}
	if err := x.db.Merge(context.Background(), 0.5); err != nil {
		t.Fatalf("merge on a full disk: %v", err)
	}
	time.Sleep(3 * time.Second)
	for i := range deleted / 20 {
		x.put(fmt.Sprintf("new%05d", i), strings.Repeat("w", 500))
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

func TestB22ExpiredRecordHidesOlderVersions(t *testing.T) {
	now := int64(1000)
	x := newTrusted(t, func(o *Options) { o.NowMs = func() int64 { return now } })
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
	now = 3000
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
	now := int64(1000)
	x := newTrusted(t, func(o *Options) { o.NowMs = func() int64 { return now } })
	for i := range 40 {
		expire := int64(2000)
		if i == 7 {
			expire = 9000
		}
		if err := x.db.PutExpire(fmt.Appendf(nil, "k%02d", i), []byte("a value of some length"), expire); err != nil {
			t.Fatal(err)
		}
	}
	now = 3000
	x.merge(0)
	x.crash(crashLost)
	x.want("k07", "a value of some length")
	x.want("k08", "-")
	x.close()
}

func TestB24ClockThatJumpsBackDoesNotReorder(t *testing.T) {
	now := int64(1_000_000)
	x := newTrusted(t, func(o *Options) { o.NowMs = func() int64 { return now } })
	x.put("k", "first")
	now = 10
	x.put("k", "second")
	x.seal()
	now = 5
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
