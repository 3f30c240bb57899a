package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The fault suite: the same workload is run again and again, each time with one
// more call of the file system failing, once or from then on until the fault is
// taken away. The database may refuse, but what it acknowledged is there
// afterwards, and what it refused is not. Time is that of synctest.

const faultTransactions = 40

// faultKind is a way for calls to fail.
type faultKind struct {
	name   string
	sticky bool
	fault  func(memCall) memFault
}

func failAny(c memCall) memFault {
	if c.op == opLock {
		return memFault{}
	}
	return memFault{err: syscall.EIO}
}

func failFull(c memCall) memFault {
	switch c.op {
	case opCreate, opMkdir, opLink, opRename, opPreallocate:
		return memFault{err: syscall.ENOSPC}
	case opWrite:
		return memFault{err: syscall.ENOSPC}
	default:
		return memFault{}
	}
}

func failShort(c memCall) memFault {
	if c.op == opWrite {
		return memFault{err: syscall.ENOSPC, short: c.size / 2}
	}
	return memFault{}
}

func failSync(c memCall) memFault {
	if c.op == opSync || c.op == opSyncDir {
		return memFault{err: syscall.EIO}
	}
	return memFault{}
}

var faultKinds = []faultKind{
	{"EIO once", false, failAny},
	{"EIO sticky", true, failAny},
	{"full once", false, failFull},
	{"full sticky", true, failFull},
	{"short once", false, failShort},
	{"short sticky", true, failShort},
	{"sync once", false, failSync},
	{"sync sticky", true, failSync},
}

func TestFaultAtEveryCall(t *testing.T) {
	for _, policy := range []SyncPolicy{SyncAlways, SyncEverySecond} {
		for _, kind := range faultKinds {
			t.Run(fmt.Sprintf("policy=%d/%s", policy, strings.ReplaceAll(kind.name, " ", "-")), func(t *testing.T) {
				t.Parallel()
				trustSeeds(t, func(t *testing.T, seed uint64) {
					t.Helper()
					n, failures := 0, 0
					for last := false; !last && failures < 3; n += trustStride {
						r := &faultRun{seed: seed, policy: policy, kind: kind, at: n}
						synctest.Test(t, func(t *testing.T) {
							t.Helper()
							if err := r.run(); err != nil {
								failures++
								t.Errorf("seed %d, from %v on: %v", seed, r.hit, err)
							}
						})
						last = !r.fired
					}
					t.Logf("%d runs", n/trustStride)
				})
			})
		}
	}
}

// faultRun is the workload with the fault at one call.
type faultRun struct {
	seed   uint64
	policy SyncPolicy
	kind   faultKind
	at     int // how many calls that the fault is for pass before it strikes

	m      *memFS
	h      *history
	opt    Options
	fired  bool
	lifted bool
	passed int
	hit    memCall // the first call that failed
}

func (r *faultRun) hook(c memCall) memFault {
	if r.lifted || (r.fired && !r.kind.sticky) {
		return memFault{}
	}
	f := r.kind.fault(c)
	if f.err == nil {
		return memFault{}
	}
	if !r.fired {
		r.passed++
		if r.passed <= r.at {
			return memFault{}
		}
		r.fired, r.hit = true, c
	}
	return f
}

// lift takes the fault away.
func (r *faultRun) lift() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.lifted = true
}

func (r *faultRun) run() error {
	rng := rand.New(rand.NewPCG(r.seed, 3))
	r.m, r.h = newMemFS(), newHistory()
	r.opt = trustOptions(r.m, rng)
	r.opt.Sync = r.policy
	r.m.setHook(r.hook)
	db, err := Open(crashDir, r.opt)
	if err != nil {
		if !r.fired {
			return fmt.Errorf("open: %w", err)
		}
		r.lift()
		if db, err = Open(crashDir, r.opt); err != nil {
			return fmt.Errorf("open after a failed open: %w", err)
		}
	}
	w := &workload{rng: rng, db: db, h: r.h, keys: 10, large: 5 << 10, sync: r.policy}
	for i := range faultTransactions {
		if err := r.event(w, i); err != nil {
			return errors.Join(err, w.close())
		}
	}
	if err := r.after(w); err != nil {
		return errors.Join(err, w.close())
	}
	return nil
}

// close closes the database, whatever it says.
func (w *workload) close() error {
	if err := w.db.Close(); err != nil {
		return fmt.Errorf("(and close: %w)", err)
	}
	return nil
}

// event does one transaction and, now and then, something else. It returns what
// must not happen, whatever fails.
func (r *faultRun) event(w *workload, i int) error {
	if err := w.step(); err != nil && !r.tolerated(err) {
		return fmt.Errorf("transaction: %w", err)
	}
	var err error
	switch i % 10 {
	case 3:
		time.Sleep(1500 * time.Millisecond)
	case 5:
		err = w.syncNow()
	case 7:
		err = w.db.Merge(context.Background(), 0.1)
	case 9:
		if i == 29 {
			err = w.db.Backup(context.Background(), "/backup")
		}
	}
	if err != nil && !r.tolerated(err) && !errors.Is(err, ErrMergeRunning) {
		return fmt.Errorf("event %d: %w", i, err)
	}
	return nil
}

// tolerated reports whether err is what the fault may cause.
func (r *faultRun) tolerated(err error) bool {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.fired && (errors.Is(err, ErrNoSpace) || errors.Is(err, ErrFailed) ||
		errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC))
}

// after takes the fault away and judges: the running database, what a crash
// would leave, and what a close leaves.
func (r *faultRun) after(w *workload) error {
	rng := rand.New(rand.NewPCG(r.seed, 4))
	now := r.h.now()
	for _, mode := range crashModes {
		promised := now.synced
		if mode == crashKill {
			promised = now.acked
		}
		if err := r.openImage(r.m.image(mode, rng), now, promised); err != nil {
			return fmt.Errorf("crash %v while failing: %w", mode, err)
		}
	}
	r.lift()
	if err := r.goesOn(w); err != nil {
		return err
	}
	now = r.h.now()
	for _, mode := range crashModes {
		if err := r.openImage(r.m.image(mode, rng), now, now.acked); err != nil {
			return fmt.Errorf("crash %v after the fault: %w", mode, err)
		}
	}
	// A database that failed for good may say so once more.
	if err := w.db.Close(); err != nil && !errors.Is(err, ErrFailed) {
		return fmt.Errorf("close: %w", err)
	}
	return r.openImage(r.m.image(crashLost, rng), now, now.acked)
}

// goesOn checks that the database serves and writes again by itself, some
// seconds after the fault is gone; only after a failed sync under SyncAlways may
// it stay stopped. Everything acknowledged is on the disk then.
func (r *faultRun) goesOn(w *workload) error {
	time.Sleep(5 * time.Second)
	now := r.h.now()
	if _, err := now.judge(w.db, len(now.states)-1); err != nil {
		return fmt.Errorf("the running database after the fault: %w", err)
	}
	for range 3 {
		err := w.step()
		if err != nil && (r.policy != SyncAlways || !errors.Is(err, ErrFailed)) {
			return fmt.Errorf("does not go on by itself: %w", err)
		}
	}
	time.Sleep(5 * time.Second)
	return nil
}

func (r *faultRun) openImage(img *memFS, now moment, atLeast int) error {
	opt := r.opt
	opt.FS = img
	db, err := Open(crashDir, opt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	_, err = now.judge(db, atLeast)
	return errors.Join(err, db.Close())
}
