package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// The metamorphic suite: the same kind of random work under random options, which
// change with every reopening. Whatever they are, and whatever reopenings,
// merges, backups and crashes come in between, the database is what the model
// says.

const (
	// metaRuns is how many runs there are on each file system for each seed.
	metaRuns = 100
	// metaEvents is how many events, of several transactions each, a run has.
	metaEvents = 25
)

func TestMetamorphic(t *testing.T) {
	trustSeeds(t, func(t *testing.T, seed uint64) {
		t.Helper()
		for i := range uint64(metaRuns) {
			for _, onDisk := range []bool{false, true} {
				if onDisk && i%5 != 0 || i%trustStride != 0 {
					continue // the real disk is slow
				}
				t.Run(fmt.Sprintf("run=%d/disk=%v", i, onDisk), func(t *testing.T) {
					t.Parallel()
					newMetaRun(t, seed*1000+i, onDisk).run()
				})
			}
		}
	})
}

// metaRun is one run of the suite.
type metaRun struct {
	t       *testing.T
	rng     *rand.Rand
	m       *memFS // nil: the real file system
	dir     string
	opt     Options
	h       *history
	w       *workload
	backups int
}

func newMetaRun(t *testing.T, seed uint64, onDisk bool) *metaRun {
	t.Helper()
	t.Logf("seed %d", seed)
	r := &metaRun{t: t, rng: rand.New(rand.NewPCG(seed, 8)), h: newHistory(), dir: crashDir}
	if onDisk {
		r.dir = filepath.Join(t.TempDir(), "db")
	} else {
		r.m = newMemFS()
	}
	r.w = &workload{rng: r.rng, h: r.h, keys: 4 + r.rng.IntN(60), large: 1 << (8 + r.rng.IntN(8))}
	return r
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// options returns random options.
func (r *metaRun) options() Options {
	opt := Options{
		DataFileBytes:  pick[int64](r.rng, 4<<10, 8<<10, 100_000, 1<<20),
		Sync:           pick(r.rng, SyncAlways, SyncEverySecond, SyncNever, SyncBytes),
		SyncBytes:      pick[int64](r.rng, 1, 1000, 100_000),
		Index:          pick(r.rng, IndexART, IndexPlar),
		NoMmap:         pick(r.rng, false, true),
		NoPreallocate:  pick(r.rng, false, true),
		Shards:         pick(r.rng, 1, 2, 16, 256),
		Spaces:         modelSpaces + r.rng.IntN(3),
		MergeRatio:     pick(r.rng, 0.05, 0.3, 0.6, 1),
		MergeDeadBytes: pick[int64](r.rng, -1, 1, 10_000),
		load:           pick(r.rng, defaultLoadLimits, smallLoad),
		MergeRateBytes: pick[int64](r.rng, -1, 1<<20),
		NowMs:          func() int64 { return 1 << 41 },
		liveSetPiece:   pick(r.rng, liveSetPiece, 1),
	}
	if r.m != nil {
		opt.FS = r.m
	}
	return opt
}

func (r *metaRun) open() {
	r.t.Helper()
	r.opt = r.options()
	db, err := Open(r.dir, r.opt)
	if err != nil {
		r.t.Fatalf("open with %+v: %v", r.opt, err)
	}
	r.w.db, r.w.sync = db, r.opt.Sync
}

func (r *metaRun) close() {
	r.t.Helper()
	if err := r.w.db.Close(); err != nil {
		r.t.Fatalf("close: %v", err)
	}
	_, n := r.h.last()
	r.h.ack(n, true)
}

// judge compares the running database with the model.
func (r *metaRun) judge(what string) {
	r.t.Helper()
	now := r.h.now()
	if _, err := now.judge(r.w.db, len(now.states)-1); err != nil {
		r.t.Fatalf("after %s: %v", what, err)
	}
}

func (r *metaRun) run() {
	r.open()
	for range metaEvents {
		for range r.rng.IntN(12) {
			if err := r.w.step(); err != nil {
				r.t.Fatal(err)
			}
		}
		r.event()
	}
	r.judge("everything")
	r.close()
	report, err := Check(r.opt.FS, r.dir, nil)
	if err != nil || len(report.Problems) > 0 {
		r.t.Fatalf("check after a clean close: %+v, %v", report, err)
	}
}

func (r *metaRun) event() {
	switch r.rng.IntN(8) {
	case 0:
		r.close()
		r.open()
		r.judge("a reopening")
	case 1, 2:
		r.merge(pick(r.rng, 0, 0.2, 0.6, 1))
		r.judge("a merge")
	case 3, 4:
		if r.m != nil {
			r.crash()
		}
	case 5:
		r.backup()
	case 6:
		if err := r.w.syncNow(); err != nil {
			r.t.Fatal(err)
		}
		r.w.sync = pick(r.rng, SyncAlways, SyncEverySecond, SyncNever, SyncBytes)
		r.w.db.SetSync(r.w.sync)
	case 7:
		if err := r.w.db.Scrub(context.Background(), 0); err != nil {
			r.t.Fatalf("scrub: %v", err)
		}
	}
}

// merge merges, and if nothing else merges at the same time, goes on with transactions
// wherever the merge holds no lock.
func (r *metaRun) merge(ratio float64) {
	s := &r.w.db.merge
	if r.opt.MergeDeadBytes < 0 {
		s.mu.Lock()
		s.step = func(mergeStep) {
			for range r.rng.IntN(3) {
				if err := r.w.step(); err != nil {
					r.t.Fatal(err)
				}
			}
		}
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.step = nil
			s.mu.Unlock()
		}()
	}
	if err := r.w.db.Merge(context.Background(), ratio); err != nil && !errors.Is(err, ErrMergeRunning) {
		r.t.Fatalf("merge: %v", err)
	}
}

// crash goes on with what a crash leaves.
func (r *metaRun) crash() {
	mode := pick(r.rng, crashModes...)
	now := r.h.now()
	img := r.m.image(mode, r.rng)
	if err := r.w.db.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.m = img
	r.open()
	n, err := now.judge(r.w.db, now.promised(mode))
	if err != nil {
		r.t.Fatalf("after a crash (%v): %v", mode, err)
	}
	r.h.states = now.states[:n+1]
	r.h.acked, r.h.synced = n, n
}

// backup makes a backup, which has to be the database as it is, and sometimes
// goes on with it instead.
func (r *metaRun) backup() {
	r.backups++
	dir := fmt.Sprintf("%s-backup%d", r.dir, r.backups)
	if err := r.w.db.Backup(context.Background(), dir); err != nil {
		r.t.Fatalf("backup: %v", err)
	}
	if r.rng.IntN(2) == 0 {
		r.close()
		r.dir = dir
		r.open()
		r.judge("going on with a backup")
		return
	}
	opt := r.options()
	db, err := Open(dir, opt)
	if err != nil {
		r.t.Fatalf("open of a backup: %v", err)
	}
	now := r.h.now()
	if _, err := now.judge(db, len(now.states)-1); err != nil {
		r.t.Fatalf("backup: %v", err)
	}
	if err := db.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.judge("a backup was used")
}
