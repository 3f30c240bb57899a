package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// The corruption suite: a small directory with every kind of file in it is
// damaged in one place after the other. Opening it must refuse, or every key
// must be there and read as what was written or as a CorruptError. Only at the
// end of the log, past what is known to be synced, damage looks like a torn
// tail, and a prefix of the transactions may be served.

// corruptCase is a directory to damage, and what is true of it.
type corruptCase struct {
	t      *testing.T
	opt    Options
	pure   *memFS
	files  map[string][]byte
	now    moment
	atMost uint64 // bytes that opening and reading the undamaged directory allocates

	mu       sync.Mutex
	failures int
	tried    int
	refused  int
	cut      int // opened with fewer transactions
}

// newCorruptCase makes the directory: sealed files, merged files, hints, a log
// that was not closed. If clean, it was closed.
func newCorruptCase(t *testing.T, seed uint64, clean bool) *corruptCase {
	t.Helper()
	c := &corruptCase{t: t, pure: newMemFS(), files: map[string][]byte{}}
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		c.fill(t, seed, clean)
	})
	names, err := c.pure.List(crashDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name != "LOCK" {
			c.files[name], _ = c.pure.contents(filepath.Join(crashDir, name))
		}
	}
	c.measure()
	return c
}

// fill makes the directory. The background is at rest when its image is taken, so that
// nothing is half done but by the log that was not closed. REQUIRES: time is that of
// synctest.
func (c *corruptCase) fill(t *testing.T, seed uint64, clean bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	c.opt = trustOptions(c.pure, rng)
	c.opt.MergeDeadBytes = -1
	db := mustOpen(t, crashDir, c.opt)
	h := newHistory()
	w := &workload{rng: rng, db: db, h: h, keys: 12, large: 1 << 10}
	for i := range 60 {
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
		if i == 40 {
			if err := db.Merge(context.Background(), 0.2); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.syncNow(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	img := c.pure.image(crashKept, rng)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c.now = h.now()
	if clean {
		img = c.pure.image(crashKept, rng)
		c.now.synced = len(c.now.states) - 1
	}
	c.pure = img
}

// measure notes what opening the undamaged directory allocates.
func (c *corruptCase) measure() {
	c.t.Helper()
	for range 3 {
		before := allocated()
		if err := c.open(c.pure.image(crashKept, nil), len(c.now.states)-1); err != nil {
			c.t.Fatalf("undamaged: %v", err)
		}
		c.atMost = max(c.atMost, allocated()-before)
	}
	c.tried, c.refused, c.cut = 0, 0, 0
}

// allocated is how many bytes this process has allocated on the heap so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// try opens the directory with file replaced by data (nil: removed).
func (c *corruptCase) try(what, file string, data []byte) {
	img := c.pure.image(crashKept, nil)
	img.setContents(filepath.Join(crashDir, file), data)
	c.tryImage(what, file, img)
}

func (c *corruptCase) tryImage(what, file string, img *memFS) {
	atLeast := len(c.now.states) - 1
	if strings.HasSuffix(file, ".data") {
		// It may be the unsealed one; the judge knows what is synced.
		atLeast = c.now.synced
	}
	if err := c.open(img, atLeast); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.failures++; c.failures <= 10 {
			c.t.Errorf("%s of %s: %v", what, file, err)
		}
	}
}

// open opens an image and judges what it serves. A refusal is fine.
func (c *corruptCase) open(img *memFS, atLeast int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := make([]byte, 2<<10)
			err = fmt.Errorf("panic: %v\n%s", p, stack[:runtime.Stack(stack, false)])
		}
	}()
	c.mu.Lock()
	c.tried++
	c.mu.Unlock()
	opt := c.opt
	opt.FS = img
	db, err := Open(crashDir, opt)
	if err != nil {
		c.mu.Lock()
		c.refused++
		c.mu.Unlock()
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("refused for the wrong reason: %w", err)
	}
	err = c.judge(db, atLeast)
	if closeErr := db.Close(); err == nil && !errors.Is(closeErr, ErrCorrupt) {
		err = closeErr
	}
	return err
}

// judge is moment.judge, except that a value may be a CorruptError.
func (c *corruptCase) judge(db *DB, atLeast int) error {
	got, damaged := dumpDamaged(db)
	n, err := got.counter()
	begun := len(c.now.states) - 1
	if err != nil || n < atLeast || n > begun {
		return fmt.Errorf("it has %d transactions (%v), synced are %d of %d", n, err, atLeast, begun) //nolint:errorlint // it may be nil
	}
	if n < begun {
		c.mu.Lock()
		c.cut++
		c.mu.Unlock()
	}
	want := c.now.states[n]
	for k, err := range damaged {
		if !errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("read of %v: %w", k, err)
		}
		h, ok := want[k]
		if !ok {
			return fmt.Errorf("key %v should not exist", k)
		}
		got[k] = h
	}
	if diff := want.diff(got); diff != "" {
		return fmt.Errorf("after %d transactions: %s", n, diff)
	}
	return nil
}

// dumpDamaged is dump, which goes on past keys whose value cannot be read.
func dumpDamaged(db *DB) (model, map[modelKey]error) {
	got, damaged := model{}, map[modelKey]error{}
	tx := beginAll(db, false)
	defer tx.Rollback()
	for space := range modelSpaces {
		for shard := range db.Shards() {
			tx.Scan(space, shard, 0, func(key []byte, h Head) bool {
				k := modelKey{space, string(key)}
				head, err := readHead(tx, &h)
				if err != nil {
					damaged[k] = err
				} else {
					got[k] = head
				}
				return true
			})
		}
	}
	return got, damaged
}

// eachFile runs damage for the files in turn, on all cores.
func (c *corruptCase) eachFile(damage func(name string, data []byte)) {
	names := make([]string, 0, len(c.files))
	for name := range c.files {
		names = append(names, name)
	}
	slices.Sort(names)
	work := make(chan string)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for name := range work {
				damage(name, c.files[name])
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	wg.Wait()
	c.t.Logf("%d cases: %d refused, %d cut to a prefix", c.tried, c.refused, c.cut)
	if c.refused == 0 {
		c.t.Error("no damage was ever refused")
	}
}

// corruptSuite runs test on an unclean and on a clean directory.
func corruptSuite(t *testing.T, test func(c *corruptCase, seed uint64)) {
	t.Helper()
	for _, clean := range []bool{false, true} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			trustSeeds(t, func(t *testing.T, seed uint64) {
				t.Helper()
				test(newCorruptCase(t, seed, clean), seed)
			})
		})
	}
}

func TestCorruptionOfEveryByte(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, seed uint64) {
		c.eachFile(func(name string, data []byte) {
			for i := range data {
				if i%trustStride != 0 {
					continue
				}
				bit := (i + int(seed)) % 8
				flipped := slices.Clone(data)
				flipped[i] ^= 1 << bit
				c.try(fmt.Sprintf("flip of bit %d at %d", bit, i), name, flipped)
			}
		})
	})
}

func TestCorruptionByCutAtEveryLength(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		c.eachFile(func(name string, data []byte) {
			for size := range data {
				if size%trustStride != 0 {
					continue
				}
				c.try(fmt.Sprintf("cut at %d", size), name, data[:size:size])
			}
		})
	})
}

func TestCorruptionByZeroedSectors(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		c.eachFile(func(name string, data []byte) {
			for from := 0; from < len(data); from += memSector {
				zeroed := slices.Clone(data)
				clear(zeroed[from:min(from+memSector, len(data))])
				c.try(fmt.Sprintf("zeros at %d", from), name, zeroed)
			}
		})
	})
}

func TestCorruptionByGarbageSectors(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, seed uint64) {
		c.eachFile(func(name string, data []byte) {
			rng := rand.New(rand.NewPCG(seed, 6))
			for from := 0; from < len(data); from += memSector {
				garbage := slices.Clone(data)
				for i := from; i < min(from+memSector, len(data)); i++ {
					garbage[i] = byte(rng.Uint32())
				}
				c.try(fmt.Sprintf("garbage at %d", from), name, garbage)
			}
		})
	})
}

func TestCorruptionBySwappedFiles(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		c.eachFile(func(name string, _ []byte) {
			for other, data := range c.files {
				if other == name {
					continue
				}
				img := c.pure.image(crashKept, nil)
				img.setContents(filepath.Join(crashDir, name), data)
				img.setContents(filepath.Join(crashDir, other), c.files[name])
				c.tryImage("swap with "+other, name, img)
				c.try("copy of "+other, name, data)
			}
		})
	})
}

func TestCorruptionByMissingFile(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		c.eachFile(func(name string, _ []byte) { c.try("removal", name, nil) })
	})
}

// TestCorruptionAllocatesNoMore damages the directory as above, serially, and
// watches what opening it allocates: a damaged length must not be believed.
func TestCorruptionAllocatesNoMore(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		limit := 2*c.atMost + 1<<20
		for name, data := range c.files {
			for i := range data {
				if i > 256 && i%7 != 0 {
					continue
				}
				damaged := slices.Clone(data)
				damaged[i] = ^damaged[i]
				before := allocated()
				c.try(fmt.Sprintf("inverted byte %d", i), name, damaged)
				if got := allocated() - before; got > limit {
					t.Fatalf("byte %d of %s inverted: %d bytes allocated, %d without damage", i, name, got, c.atMost)
				}
			}
		}
	})
}
