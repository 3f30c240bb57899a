package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestSmallFiles: which files are folded.
func TestSmallFiles(t *testing.T) {
	const full = 1 << 20
	for _, tt := range []struct {
		name  string
		sizes []int64 // of sealed files; negative: not sealed
		want  int     // how many of them, the smallest
	}{
		{"none", nil, 0},
		{"too few", []int64{0, 0, 0, 0, 0, 0, 0}, 0},
		{"empty ones", []int64{0, 0, 0, 0, 0, 0, 0, 0}, 8},
		{"of about one size", []int64{256, 600, 700, 800, 900, 1000, 2000, 2047}, 8},
		{"of two sizes", []int64{255, 255, 255, 255, 256, 256, 256, 256}, 0},
		{"what is smaller goes along", []int64{100, 512, 512, 512, 512, 512, 512, 512, 512, 5000}, 9},
		{"large ones do not", []int64{full / 8, full / 8, full / 8, full / 8, full / 8, full / 8, full / 8, full / 8, full}, 0},
		{"what is written does not", []int64{512, 512, 512, 512, 512, 512, 512, -512}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []mergeCandidate
			for _, size := range tt.sizes {
				all = append(all, mergeCandidate{sealed: size >= 0, bytes: max(size, -size), live: max(size, -size)})
			}
			got := smallFiles(all, full)
			if len(got) != tt.want {
				t.Errorf("%d files are chosen, want %d: %v", len(got), tt.want, got)
			}
			for i, file := range got {
				if file != i {
					t.Errorf("file %d is chosen, want the smallest: %v", file, got)
				}
			}
		})
	}
}

// foldHistory opens the database again and again with a few writes in between, and
// folds as the background would. It returns what is in it.
func foldHistory(x *trusted, restarts int, fold func()) map[string]string {
	state := map[string]string{}
	for i := range restarts {
		x.close()
		x.open()
		key := fmt.Sprint("k", i%37)
		switch {
		case i%5 == 4:
			key = fmt.Sprint("k", (i-3)%37)
			x.delete(key)
			state[key] = "-"
		case i%11 == 7: // nothing is written
		default:
			state[key] = strings.Repeat("v", 9+i%13)
			x.put(key, state[key])
		}
		fold()
	}
	return state
}

func (x *trusted) wantAll(state map[string]string) {
	x.t.Helper()
	for key, value := range state {
		x.want(key, value)
	}
}

// TestRestartsLeaveFewFiles: many restarts with few writes leave a bounded number of
// files, and everything that was written, through crashes as well.
func TestRestartsLeaveFewFiles(t *testing.T) {
	// Time stands still, so that no merge of the background is in the way, and then
	// ended by a restart.
	synctest.Test(t, restartsLeaveFewFiles)
}

func restartsLeaveFewFiles(t *testing.T) {
	t.Helper()
	x := newTrusted(t, func(o *Options) { o.DataFileBytes, o.MergeDeadBytes = 1<<20, 1<<40 })
	most := 0
	state := foldHistory(x, 300, func() {
		if err := x.db.mergeIfDue(); err != nil {
			t.Fatal(err)
		}
		most = max(most, x.db.Stats().DataFiles)
	})
	if most > 3*foldFiles {
		t.Errorf("there were %d data files at once", most)
	}
	x.wantAll(state)
	for _, mode := range crashModes {
		x.crash(mode)
		x.wantAll(state)
	}
	x.close()
}

// TestCrashInFold crashes at every change of the disk that a fold makes.
func TestCrashInFold(t *testing.T) {
	// Time stands still, so that the background does not fold before the test does.
	synctest.Test(t, testCrashInFold)
}

func testCrashInFold(t *testing.T) {
	t.Helper()
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	state := foldHistory(x, 40, func() {})
	x.close()
	x.opt.MergeDeadBytes = 1 << 40
	x.open()
	before := x.db.Stats().DataFiles
	crashed := x.crashAtEveryChange(func() {
		if err := x.db.mergeIfDue(); err != nil {
			t.Fatal(err)
		}
	}, func(y *trusted, _ string) { y.wantAll(state) })
	if after := x.db.Stats().DataFiles; after > 3 || before < 30 || crashed < 10 {
		t.Errorf("%d files became %d, with %d crash points", before, after, crashed)
	}
	x.crash(crashLost)
	x.wantAll(state)
	x.close()
}

// TestNoFoldWithoutRoom: on a full disk small files are left alone.
func TestNoFoldWithoutRoom(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	state := foldHistory(x, 40, func() {})
	if len(x.db.foldable(x.db.candidates())) == 0 {
		t.Fatal("nothing is to be folded")
	}
	x.m.mu.Lock()
	x.m.capacity = 1
	x.m.mu.Unlock()
	if files := x.db.foldable(x.db.candidates()); len(files) != 0 {
		t.Errorf("%d files are to be folded without room", len(files))
	}
	x.m.mu.Lock()
	x.m.capacity = 0
	x.m.mu.Unlock()
	x.wantAll(state)
}
