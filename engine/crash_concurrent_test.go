package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Several writers commit at the same time, over different shards, while merges
// run; at many calls of the file system the machine crashes. Each transaction of
// a writer puts the same number under two keys. What is recovered must have both
// or none of them, everything acknowledged, and, over all writers, a prefix of
// the commit order.

const (
	crashWriters = 6
	// crashCommits is how many transactions each of them makes.
	crashCommits = 60
)

func TestCrashWithConcurrentWriters(t *testing.T) {
	for _, policy := range []SyncPolicy{SyncAlways, SyncEverySecond, SyncNever, SyncBytes} {
		t.Run(fmt.Sprintf("policy=%d", policy), func(t *testing.T) {
			trustSeeds(t, func(t *testing.T, seed uint64) {
				t.Helper()
				r := &writersRun{t: t, policy: policy, m: newMemFS(), rng: rand.New(rand.NewPCG(seed, 9))}
				r.run()
				t.Logf("%d recoveries", r.recoveries)
			})
		})
	}
}

// writersRun is one run.
type writersRun struct {
	t      *testing.T
	policy SyncPolicy
	opt    Options
	m      *memFS
	rng    *rand.Rand // used with m.mu held

	recoveries int // with m.mu held

	mu      sync.Mutex // guards following
	begun   [crashWriters]int
	acked   [crashWriters]int
	commits []writersCommit
}

// writersCommit is a transaction whose place in the log is known.
type writersCommit struct {
	seq       uint64
	writer, n int
}

func (r *writersRun) run() {
	r.opt = trustOptions(r.m, r.rng)
	r.opt.Sync, r.opt.SyncBytes = r.policy, 2000
	db, err := Open(crashDir, r.opt)
	if err != nil {
		r.t.Fatal(err)
	}
	r.m.setHook(r.crash)
	var writers sync.WaitGroup
	for w := range crashWriters {
		writers.Go(func() {
			for n := 1; n <= crashCommits; n++ {
				if err := r.commit(db, w, n); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var merges sync.WaitGroup
	merges.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := db.Merge(context.Background(), 0.3); err != nil && !errors.Is(err, ErrMergeRunning) {
				r.t.Error(err)
				return
			}
		}
	})
	writers.Wait()
	close(stop)
	merges.Wait()
	if err := db.Close(); err != nil {
		r.t.Error(err)
	}
}

// writerKeys are the two keys of a writer, with what pads their values.
func writerKeys(w int) [2]string { return [2]string{fmt.Sprint("w", w), fmt.Sprint("twin of w", w)} }

func (r *writersRun) commit(db *DB, w, n int) error {
	r.mu.Lock()
	r.begun[w] = n
	r.mu.Unlock()
	var set ShardSet
	keys := writerKeys(w)
	for _, k := range keys {
		set.Add(db.ShardOf([]byte(k)))
	}
	tx := db.Begin(&set, true)
	for i, k := range keys {
		value := fmt.Sprintf("%d %s", n, strings.Repeat("p", (n*13+i*40)%120))
		if err := tx.Put(0, []byte(k), Meta{}, []byte(value)); err != nil {
			tx.Rollback()
			return err
		}
	}
	seq, err := tx.Commit()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.commits = append(r.commits, writersCommit{seq, w, n})
	r.mu.Unlock()
	if err := db.Ack(seq); err != nil {
		return err
	}
	r.mu.Lock()
	r.acked[w] = n
	r.mu.Unlock()
	return nil
}

// crash is the hook.
func (r *writersRun) crash(c memCall) memFault {
	if !c.op.changes() || r.rng.IntN(8*trustStride) != 0 || r.t.Failed() {
		return memFault{}
	}
	r.mu.Lock()
	begun, acked, commits := r.begun, r.acked, r.commits
	r.mu.Unlock()
	for _, mode := range crashModes {
		r.recoveries++
		promised := acked
		if r.policy != SyncAlways && mode != crashKill && mode != crashKept {
			promised = [crashWriters]int{}
		}
		if err := r.recover(r.m.imageLocked(mode, r.rng), begun, promised, commits); err != nil {
			r.t.Errorf("%v, crash %v: %v", c, mode, err)
		}
	}
	return memFault{}
}

func (r *writersRun) recover(img *memFS, begun, promised [crashWriters]int, commits []writersCommit) error {
	opt := r.opt
	opt.FS = img
	db, err := Open(crashDir, opt)
	if err != nil {
		return err
	}
	got, err := readWriters(db)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	var newest uint64
	for w, n := range got {
		if n < promised[w] || n > begun[w] {
			return fmt.Errorf("writer %d is at %d; acknowledged %d, begun %d", w, n, promised[w], begun[w])
		}
	}
	for _, c := range commits {
		if c.n <= got[c.writer] {
			newest = max(newest, c.seq)
		}
	}
	for _, c := range commits {
		if c.seq < newest && c.n > got[c.writer] {
			return fmt.Errorf("commit %d of writer %d (sequence number %d) is missing, a later one (%d) is there",
				c.n, c.writer, c.seq, newest)
		}
	}
	return nil
}

// readWriters returns the number that each writer's keys have.
func readWriters(db *DB) (got [crashWriters]int, err error) {
	for w := range got {
		for i, k := range writerKeys(w) {
			value, err := db.Get([]byte(k))
			if errors.Is(err, ErrNotFound) {
				value, err = []byte("0 "), nil
			}
			if err != nil {
				return got, err
			}
			number, _, _ := strings.Cut(string(value), " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				return got, err
			}
			if i > 0 && n != got[w] {
				return got, fmt.Errorf("writer %d has half a transaction: %d and %d", w, got[w], n)
			}
			got[w] = n
		}
	}
	return got, nil
}
