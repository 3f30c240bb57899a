package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The crash suite: a workload runs once, and before every call that changes the
// disk the machine crashes, in every mode. Each image is recovered and judged;
// during some of the recoveries the machine crashes again.

const (
	crashDir = "/db"
	// crashTransactions is the length of the workload.
	crashTransactions = 150
)

func TestCrashAtEveryCall(t *testing.T) {
	for _, policy := range []SyncPolicy{SyncAlways, SyncEverySecond} {
		t.Run(fmt.Sprintf("policy=%d", policy), func(t *testing.T) {
			trustSeeds(t, func(t *testing.T, seed uint64) {
				t.Helper()
				r := newCrashRun(t, seed, policy)
				r.run()
				t.Logf("%d crash points, %d recoveries, %d of them crashed again",
					r.points, r.recoveries, r.again)
			})
		})
	}
}

// crashRun is one run of the suite.
type crashRun struct {
	t    *testing.T
	seed uint64
	opt  Options
	m    *memFS
	h    *history
	rng  *rand.Rand // for the workload
	// crashes is for the images; used with m.mu held.
	crashes *rand.Rand

	mu      sync.Mutex
	backups []crashBackup

	points, recoveries, again, failures int // with m.mu held
}

// crashBackup is a backup that was begun after `after` transactions.
type crashBackup struct {
	dir   string
	after int
	done  bool
}

func newCrashRun(t *testing.T, seed uint64, policy SyncPolicy) *crashRun {
	t.Helper()
	r := &crashRun{
		t: t, seed: seed, m: newMemFS(), h: newHistory(),
		rng:     rand.New(rand.NewPCG(seed, 1)),
		crashes: rand.New(rand.NewPCG(seed, 2)),
	}
	r.opt = trustOptions(r.m, r.rng)
	r.opt.Sync = policy
	return r
}

// run does the workload with the hook in place.
func (r *crashRun) run() {
	r.m.setHook(r.crash)
	db := r.open()
	w := &workload{rng: r.rng, db: db, h: r.h, keys: 16, large: 3 << 10, sync: r.opt.Sync}
	var background sync.WaitGroup
	for range crashTransactions {
		if err := w.step(); err != nil {
			r.t.Fatal(err)
		}
		switch event := r.rng.IntN(40); {
		case event == 0:
			background.Wait()
			if err := w.db.Close(); err != nil {
				r.t.Fatal(err)
			}
			_, n := r.h.last()
			r.h.ack(n, true)
			w.db = r.open()
		case event == 1:
			background.Go(func() { r.merge(w.db) })
		case event == 2:
			r.merge(w.db)
		case event == 3:
			background.Go(func() { r.backup(w.db) })
		case event < 8:
			if err := w.syncNow(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	background.Wait()
	if err := w.db.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.m.setHook(nil)
	names, err := r.m.List(crashDir)
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(names, func(name string) bool { return name > dataFileName(6) })
	if i < 0 || dataFiles(names[i:]) == 0 {
		r.t.Fatalf("the workload ends with %v: it does not test rotation", names)
	}
}

func (r *crashRun) open() *DB {
	db, err := Open(crashDir, r.opt)
	if err != nil {
		r.t.Fatalf("open: %v", err)
	}
	return db
}

// dataFiles counts the data files among names.
func dataFiles(names []string) int {
	n := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".data") {
			n++
		}
	}
	return n
}

func (r *crashRun) merge(db *DB) {
	if err := db.Merge(context.Background(), 0.1); err != nil && !errors.Is(err, ErrMergeRunning) {
		r.t.Errorf("merge: %v", err)
	}
}

func (r *crashRun) backup(db *DB) {
	r.mu.Lock()
	i := len(r.backups)
	b := crashBackup{dir: fmt.Sprintf("/backup%d", i), after: r.h.now().acked}
	r.backups = append(r.backups, b)
	r.mu.Unlock()
	if err := db.Backup(context.Background(), b.dir); err != nil {
		r.t.Errorf("backup: %v", err)
	}
	r.mu.Lock()
	r.backups[i].done = true
	r.mu.Unlock()
}

// crash is the hook: it crashes before the call in every mode.
func (r *crashRun) crash(c memCall) memFault {
	if !c.op.changes() || r.failures > 3 || c.n%trustStride != 0 {
		return memFault{}
	}
	r.points++
	now := r.h.now()
	r.mu.Lock()
	backups := append([]crashBackup(nil), r.backups...)
	r.mu.Unlock()
	for _, mode := range crashModes {
		img := r.m.imageLocked(mode, r.crashes)
		if err := r.recover(img, now, now.promised(mode), now.synced); err != nil {
			r.fail("%v, crash %v: %v", c, mode, err)
		}
		if err := r.openBackups(img, now, backups); err != nil {
			r.fail("%v, crash %v: %v", c, mode, err)
		}
	}
	return memFault{}
}

func (r *crashRun) fail(format string, args ...any) {
	r.failures++
	r.t.Errorf("seed %d: "+format, append([]any{r.seed}, args...)...)
}

// recover opens an image and judges it. Sometimes the machine crashes again at
// some call of the recovery, or the recovered database goes on working.
func (r *crashRun) recover(img *memFS, now moment, atLeast, synced int) error {
	r.recoveries++
	var again error
	img.setHook(func(c memCall) memFault {
		if again != nil || !c.op.changes() || r.crashes.IntN(12) != 0 {
			return memFault{}
		}
		r.again++
		mode := crashModes[r.crashes.IntN(len(crashModes))]
		promised := atLeast
		if mode != crashKill && mode != crashKept {
			promised = min(atLeast, synced)
		}
		second := img.imageLocked(mode, r.crashes)
		if err := r.openImage(second, now, promised); err != nil {
			again = fmt.Errorf("crash %v again at %v: %w", mode, c, err)
		}
		return memFault{}
	})
	opt := r.opt
	opt.FS = img
	db, err := Open(crashDir, opt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	img.setHook(nil)
	n, err := now.judge(db, atLeast)
	if err == nil {
		// What is served once must not be lost by a later power cut: B21.
		if err = r.openImage(img.image(crashLost, r.crashes), now, n); err != nil {
			err = fmt.Errorf("served, then lost: %w", err)
		}
	}
	if err == nil && r.crashes.IntN(16) == 0 {
		err = r.goOn(db, img, now.states[n])
	} else {
		err = errors.Join(err, db.Close())
	}
	return errors.Join(again, err)
}

// openImage opens and judges an image, and closes it.
func (r *crashRun) openImage(img *memFS, now moment, atLeast int) error {
	opt := r.opt
	opt.FS = img
	db, err := Open(crashDir, opt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	_, err = now.judge(db, atLeast)
	return errors.Join(err, db.Close())
}

// goOn works on a recovered database, closes it and reads it again.
func (r *crashRun) goOn(db *DB, img *memFS, state model) error {
	h := &history{states: []model{state}}
	w := &workload{rng: r.crashes, db: db, h: h, keys: 16, large: 3 << 10, sync: r.opt.Sync}
	start, err := state.counter()
	if err != nil {
		return err
	}
	// The counter goes on from where the recovered state is.
	h.states = append(make([]model, start), state)
	for range 8 {
		if err := w.step(); err != nil {
			return fmt.Errorf("going on: %w", err)
		}
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("going on: %w", err)
	}
	now := h.now()
	if err := r.openImage(img.image(crashLost, r.crashes), now, len(now.states)-1); err != nil {
		return fmt.Errorf("after going on: %w", err)
	}
	return nil
}

// openBackups checks the backups in an image: a finished one opens with a state
// from between its begin and now; an unfinished one does so or is refused as such.
func (r *crashRun) openBackups(img *memFS, now moment, backups []crashBackup) error {
	for _, b := range backups {
		if b.done && r.crashes.IntN(10) != 0 {
			continue
		}
		before, err := img.List(b.dir)
		if err != nil && !b.done {
			continue
		}
		opt := r.opt
		opt.FS = img
		db, err := Open(b.dir, opt)
		if err != nil {
			if b.done || !errors.Is(err, ErrUnfinishedBackup) {
				return fmt.Errorf("open of backup: %w", err)
			}
			if _, err := Check(img, b.dir, nil); !errors.Is(err, ErrUnfinishedBackup) {
				return fmt.Errorf("check of an unfinished backup: %w", err)
			}
			if _, err := Repair(img, b.dir, nil); !errors.Is(err, ErrUnfinishedBackup) {
				return fmt.Errorf("repair of an unfinished backup: %w", err)
			}
			continue
		}
		atLeast := b.after
		if !b.done && dataFiles(before) == 0 {
			// It was opened before anything was copied into it.
			atLeast = 0
		}
		_, err = now.judge(db, atLeast)
		if err = errors.Join(err, db.Close()); err != nil {
			return fmt.Errorf("backup %+v: %w", b, err)
		}
	}
	return nil
}
