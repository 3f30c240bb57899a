package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorthMerging(t *testing.T) {
	type file struct {
		sealed         bool
		minSeq, maxSeq uint64
		bytes, live    int64
		tombstones     int64
	}
	for _, c := range []struct {
		name  string
		ratio float64
		files []file
		want  string
		dead  int64
	}{
		{"nothing dead", 0.5, []file{{true, 1, 9, 100, 100, 0}}, "[]", 0},
		{"enough dead", 0.5, []file{{true, 1, 9, 100, 50, 0}, {true, 10, 19, 100, 51, 0}}, "[0]", 50},
		{"never the active file", 0.5, []file{{false, 1, 9, 100, 0, 0}}, "[]", 0},
		{"all of them", 0, []file{{true, 1, 9, 100, 100, 0}, {true, 10, 19, 100, 50, 0}, {false, 20, 29, 9, 0, 0}}, "[0 1]", 50},
		{"an empty file", 0.5, []file{{true, 0, 0, 0, 0, 0}, {false, 1, 9, 1, 1, 0}}, "[0]", 0},
		{
			"tombstones that have to stay are not dead", 0.5,
			[]file{{true, 1, 9, 100, 100, 0}, {true, 10, 19, 100, 10, 80}},
			"[]", 0,
		},
		{
			"tombstones of the oldest file are dead", 0.5,
			[]file{{true, 1, 9, 100, 10, 80}, {true, 10, 19, 100, 100, 0}},
			"[0]", 90,
		},
		{
			"tombstones and what they hide, together", 0.5,
			[]file{{true, 1, 9, 100, 10, 0}, {true, 10, 19, 100, 10, 80}, {true, 20, 29, 100, 100, 0}},
			"[0 1]", 180,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []mergeCandidate
			for _, f := range c.files {
				all = append(all, mergeCandidate{
					sealed: f.sealed, minSeq: f.minSeq, maxSeq: f.maxSeq,
					bytes: f.bytes, live: f.live, tombstones: f.tombstones,
				})
			}
			chosen, dead := worthMerging(all, c.ratio)
			if got := fmt.Sprint(chosen); got != c.want || dead != c.dead {
				t.Errorf("got %s with %d dead bytes, want %s with %d", got, dead, c.want, c.dead)
			}
		})
	}
}

func TestTombstonesThatAddUpAreMergedAway(t *testing.T) {
	all := []mergeCandidate{
		{sealed: true, minSeq: 1, maxSeq: 9, bytes: 100, live: 100},
		{sealed: true, minSeq: 10, maxSeq: 19, bytes: 300, tombstones: 300},
		{minSeq: 20, maxSeq: 29, bytes: 50, live: 50},
	}
	if got, _ := dueFiles(all, 0.6, 100); fmt.Sprint(got) != "[0 1]" {
		t.Errorf("got %v, want all sealed files", got)
	}
	if got, _ := dueFiles(all, 0.8, 100); got != nil {
		t.Errorf("got %v, want nothing below the ratio", got)
	}
	if got, _ := dueFiles(all, 0.6, 1000); got != nil {
		t.Errorf("got %v, want nothing below the dead bytes", got)
	}
}

func TestDueFiles(t *testing.T) {
	file := func(live int64) mergeCandidate { return mergeCandidate{sealed: true, bytes: 100, live: live} }
	withTombstones := func(c mergeCandidate, n int64) mergeCandidate {
		c.tombstones = n
		return c
	}
	for _, c := range []struct {
		name  string
		files []mergeCandidate
		want  string
		apart bool
	}{
		{"those at the ratio, worst first", []mergeCandidate{file(50), file(100), file(10), file(49)}, "[2 3 0]", true},
		{"worst of those that age together, until the rest is below the share", []mergeCandidate{file(60), file(80), file(55), file(75)}, "[2]", true},
		{"more of them", []mergeCandidate{file(60), file(65), file(55), file(65)}, "[2 0]", true},
		{"below the share", []mergeCandidate{file(65), file(80), file(80), file(80)}, "[]", false},
		{"the active file is not counted", []mergeCandidate{file(76), {bytes: 1000}}, "[]", false},
		{"tombstones that stay are not dead", []mergeCandidate{withTombstones(file(69), 20), file(75)}, "[]", false},
		{"tombstones that go only together", []mergeCandidate{withTombstones(file(40), 20), withTombstones(file(40), 20)}, "[0 1]", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.files {
				c.files[i].minSeq, c.files[i].maxSeq = uint64(10*i+1), uint64(10*i+9)
			}
			got, apart := dueFiles(c.files, 0.5, 1)
			if fmt.Sprint(got) != c.want || apart != c.apart {
				t.Errorf("got %v, apart %v, want %s, %v", got, apart, c.want, c.apart)
			}
		})
	}
}

func TestAnAutomaticMergeGivesSpaceBackPieceByPiece(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.MergeRatio = 0.4 })
	value := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 100) }
	for i := range 400 {
		x.put(fmt.Sprintf("a%04d", i), value(i))
	}
	for i := 0; i < 400; i += 2 {
		x.put(fmt.Sprintf("a%04d", i), value(i+1))
	}
	x.seal()
	before := x.db.Stats()
	most, commits := int64(0), 0
	x.db.merge.step = func(s mergeStep) {
		if s == stepListed {
			most = max(most, x.db.Stats().DiskBytes)
		}
		if s == stepCommitted {
			commits++
		}
	}
	if err := x.db.mergeIfDue(); err != nil {
		t.Fatal(err)
	}
	x.db.merge.step = nil
	after := x.db.Stats()
	if commits < 5 || most > before.DiskBytes+x.opt.DataFileBytes || after.DeadBytes > before.DeadBytes/10 {
		t.Errorf("%d commits, at most %d bytes on the disk, before %+v, after %+v: want a commit for each of some files, and never more than one more",
			commits, most, before, after)
	}
	for range 2 {
		for i := range 400 {
			x.want(fmt.Sprintf("a%04d", i), value(i+1-i%2))
		}
		x.crash(crashLost)
	}
	x.close()
}

func TestMergeRunsByItselfAndThenRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, func(o *Options) { o.MergeDeadBytes, o.MergeRatio = 8<<10, 0.5 })
		for i := range 20 {
			// Tiny live records: their frame headers must not look like garbage.
			x.put(fmt.Sprint(i), "")
		}
		for range 100 {
			x.put("k", strings.Repeat("g", 300))
		}
		x.seal()
		before := x.db.Stats()
		time.Sleep(10 * time.Second)
		after := x.db.Stats()
		if after.DeadBytes > 8<<10 || after.Merge.Merges == 0 || after.Merge.ReclaimedBytes <= 0 || after.Merge.Running {
			t.Errorf("before %+v, after %+v: want a merge to have run", before, after)
		}
		time.Sleep(10 * time.Minute)
		if got := x.db.Stats().Merge; got != after.Merge {
			t.Errorf("merges go on without need: %+v, then %+v", after.Merge, got)
		}
		x.close()
	})
}

func TestMergeDoesNotGrowWhatOneTransactionWrote(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	tx := beginAll(x.db, true)
	c := tx.NewCollection(OrderHash)
	for i := range 1000 {
		if _, err := tx.PutElement(c, fmt.Appendf(nil, "member%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.PutCollection(0, []byte("set"), Meta{}, c, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	x.seal()
	before := x.db.Stats()
	for range 3 {
		x.merge(0)
	}
	if after := x.db.Stats(); after.DiskBytes > before.DiskBytes+200 || after.LiveBytes != before.LiveBytes {
		t.Errorf("%d bytes on disk became %d, %d live ones %d", before.DiskBytes, after.DiskBytes, before.LiveBytes, after.LiveBytes)
	}
	x.close()
}

func TestLiveBytesAfterMergeAreThoseAfterReopening(t *testing.T) {
	for seed := range uint64(20) {
		r := newMetaRun(t, seed, false)
		r.open()
		for range 150 {
			if err := r.w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.w.db.Merge(context.Background(), 0.2); err != nil && !errors.Is(err, ErrMergeRunning) {
			t.Fatal(err)
		}
		// What was dropped as a whole is taken off in the background, and small files
		// are merged there, too.
		var got, want Stats
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			want = r.reopened()
			got = r.w.db.Stats()
			if got.LiveBytes == want.LiveBytes && got.Keys == want.Keys {
				break
			}
			if time.Now().After(end) {
				t.Errorf("seed %d: %d live bytes of %d keys, after reopening %d of %d",
					seed, got.LiveBytes, got.Keys, want.LiveBytes, want.Keys)
				break
			}
		}
		r.close()
	}
}

// reopened returns the figures of what a kill at this moment leaves.
func (r *metaRun) reopened() Stats {
	r.t.Helper()
	opt := r.opt
	opt.FS, opt.MergeDeadBytes = r.m.image(crashKill, nil), -1
	db, err := Open(crashDir, opt)
	if err != nil {
		r.t.Fatal(err)
	}
	defer mustClose(r.t, db)
	return db.Stats()
}

func TestMergeThatIsCancelledKeepsWhatItDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, func(o *Options) { o.MergeRateBytes = 1000 })
		x.fill("a", 100)
		x.fill("a", 100)
		x.seal()
		before := x.names(dataSuffix)
		ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
		defer cancel()
		if err := x.db.Merge(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		after := x.names(dataSuffix)
		if after[0] == before[0] || after[len(after)-1] == before[len(before)-1] {
			t.Errorf("files were %v and are %v, want the first ones merged and not all", before, after)
		}
		if s := x.db.Stats().Merge; s.Failures != 1 || s.Running || s.LastError == "" {
			t.Errorf("got %+v, want one failure", s)
		}
		for range 2 {
			for i := range 100 {
				x.want(fmt.Sprintf("a%04d", i), strings.Repeat("v", 100))
			}
			x.crash(crashLost)
		}
		x.close()
	})
}

func TestCloseEndsAMerge(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.MergeRateBytes = 1 })
	x.fill("a", 100)
	done := make(chan error)
	go func() { done <- x.db.Merge(context.Background(), 0) }()
	for end := time.Now().Add(time.Minute); !x.db.Stats().Merge.Running; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the merge does not begin")
		}
	}
	if err := x.db.Merge(context.Background(), 0); !errors.Is(err, ErrMergeRunning) {
		t.Errorf("second merge: got %v, want ErrMergeRunning", err)
	}
	x.close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if err := x.db.Merge(context.Background(), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("merge after close: got %v, want ErrClosed", err)
	}
}

func TestMergeRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, func(o *Options) { o.MergeRateBytes, o.DataFileBytes = 100<<10, 16<<20 })
		for i := range 60 {
			x.put(fmt.Sprint(i), strings.Repeat("v", 50<<10))
		}
		started := time.Now()
		x.merge(0)
		if took := time.Since(started); took < 25*time.Second || took > 35*time.Second {
			t.Errorf("3 MB at 100 KiB a second took %v, want 30 s", took)
		}
		x.close()
	})
}

func TestMergeReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []Progress
		x := newTrusted(t, func(o *Options) {
			o.MergeRateBytes, o.DataFileBytes = 100<<10, 16<<20
			o.Progress = func(p Progress) {
				if p.Work == "merge" {
					reports = append(reports, p)
				}
			}
		})
		for i := range 60 {
			x.put(fmt.Sprint(i), strings.Repeat("v", 50<<10))
		}
		x.merge(0)
		last := int64(-1)
		for _, p := range reports {
			if p.DoneBytes < last || p.DoneBytes > p.TotalBytes || p.DoneBytes > 0 && p.ETA < 0 {
				t.Errorf("bad report %+v after %d bytes", p, last)
			}
			last = p.DoneBytes
		}
		if len(reports) < 3 {
			t.Errorf("only %d reports in half a minute", len(reports))
		}
		x.close()
	})
}

func TestMergeThatCannotBeListedLeavesTheOldFiles(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 100)
	x.seal()
	x.fill("a", 50)
	x.seal()
	var lift func()
	x.db.merge.step = func(s mergeStep) {
		if s == stepCopied {
			lift = x.fail(syscall.EIO, func(c memCall) bool { return strings.Contains(c.name, manifestName) && c.op.changes() })
		}
	}
	if err := x.db.Merge(context.Background(), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	lift()
	x.db.merge.step = nil
	if len(x.db.merge.limbo) == 0 {
		t.Error("no new file is in limbo")
	}
	x.want("a0001", strings.Repeat("v", 100))
	img := x.m.image(crashLost, nil)
	x.merge(0)
	if len(x.db.merge.limbo) != 0 {
		t.Error("new files are in limbo for ever")
	}
	x.want("a0001", strings.Repeat("v", 100))
	x.close()
	x.m = img
	x.open()
	x.want("a0001", strings.Repeat("v", 100))
	x.close()
}

func TestBackupIntoADirectoryInUseIsRefused(t *testing.T) {
	// What Open leaves to the background must not change files behind the test's back.
	x := newTrusted(t, func(opt *Options) { opt.NoPreallocate = true })
	x.db.keepReserve()
	x.put("k", "v")
	if err := x.m.MkdirAll("/full"); err != nil {
		t.Fatal(err)
	}
	x.m.setContents("/full/something", []byte("x"))
	for _, dir := range []string{crashDir, "/full"} {
		before := x.m.fingerprint()
		if err := x.db.Backup(context.Background(), dir); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v, want ErrExist", dir, err)
		}
		if x.m.fingerprint() != before {
			t.Errorf("%s was changed", dir)
		}
	}
	x.close()
}

// What a backup that was cut off leaves is called that, and not damage: it does not
// open, is not repaired, and is not mixed with another backup. Once there is a
// MANIFEST, it is whole.
func TestBackupThatIsCutOff(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 100)
	x.seal()
	var images []*memFS
	var hasList []bool
	x.m.setHook(func(c memCall) memFault {
		if strings.HasPrefix(c.name, "/backup/") && (c.op == opLink || c.op == opRename || c.op == opRemove) {
			images = append(images, x.m.imageLocked(crashKill, nil))
			hasList = append(hasList, filepath.Base(c.name) == unfinishedName)
		}
		return memFault{}
	})
	if err := x.db.Backup(context.Background(), "/backup"); err != nil {
		t.Fatal(err)
	}
	x.m.setHook(nil)
	x.close()
	if len(images) < 3 || !slices.Contains(hasList, true) {
		t.Fatalf("%d images, %v", len(images), hasList)
	}
	for i, img := range images {
		opt := x.opt
		opt.FS = img
		db, err := Open("/backup", opt)
		if hasList[i] {
			if err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			mustClose(t, db)
			if names, err := img.List("/backup"); err != nil || slices.Contains(names, unfinishedName) {
				t.Errorf("image %d: opening leaves %v, %v", i, names, err)
			}
			continue
		}
		_, checked := Check(img, "/backup", nil)
		_, repaired := Repair(img, "/backup", nil)
		for what, err := range map[string]error{"open": err, "check": checked, "repair": repaired} {
			if !errors.Is(err, ErrUnfinishedBackup) {
				t.Errorf("image %d: %s: got %v", i, what, err)
			}
		}
	}
}

func TestBackupCopiesWhereItCannotLink(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 100)
	x.fail(syscall.EXDEV, func(c memCall) bool { return c.op == opLink })
	if err := x.db.Backup(context.Background(), "/backup"); err != nil {
		t.Fatal(err)
	}
	x.close()
	// The copy has nothing in common with the original.
	for _, name := range x.names(dataSuffix) {
		x.m.setContents(filepath.Join(crashDir, name), []byte("gone"))
	}
	img := x.m.image(crashLost, nil)
	opt := x.opt
	opt.FS = img
	db, err := Open("/backup", opt)
	if err != nil {
		t.Fatal(err)
	}
	x.db = db
	x.want("a0099", strings.Repeat("v", 100))
	x.close()
}

func TestBackupThatFailsCleansUp(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 100)
	x.seal()
	x.fail(syscall.EIO, func(c memCall) bool {
		return strings.HasPrefix(c.name, "/backup") && strings.Contains(c.name, manifestName) && c.op == opSync
	})
	if err := x.db.Backup(context.Background(), "/backup"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v, want EIO", err)
	}
	x.m.setHook(nil)
	names, err := x.m.List("/backup")
	if err != nil || len(names) != 1 || names[0] != lockName {
		t.Errorf("left behind: %v, %v", names, err)
	}
	for range 2 { // that is no reason to refuse the next one; a backup is
		err = x.db.Backup(context.Background(), "/backup")
		if err != nil {
			break
		}
	}
	names, listErr := x.m.List("/backup")
	if listErr != nil {
		t.Fatal(listErr)
	}
	if !errors.Is(err, fs.ErrExist) || !slices.Contains(names, manifestName) {
		t.Errorf("backup again, twice: %v, and there are %v", err, names)
	}
	x.close()
}

// New files that could not even be tried to be listed are removed at once.
func TestMergeWithoutRoomForAnEditLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 60)
		x.fill("a", 20)
		x.seal()
		synctest.Wait()
		before := x.names("")
		var copied atomic.Bool
		x.db.merge.step = func(s mergeStep) { copied.Store(copied.Load() || s == stepCopied) }
		lift := x.fail(syscall.EIO, func(c memCall) bool { return copied.Load() && c.op == opFree })
		if err := x.db.Merge(t.Context(), 0); !errors.Is(err, syscall.EIO) || !copied.Load() {
			t.Errorf("got %v, copied: %v", err, copied.Load())
		}
		lift()
		synctest.Wait()
		if got := x.names(""); !slices.Equal(got, before) {
			t.Errorf("there were %q, and are %q", before, got)
		}
		x.merge(0)
		x.close()
	})
}
