package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

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

// crashAtEveryChange runs fn and crashes at every change of the disk that it makes, in
// every way: check gets the database that is left, open, and a name of the place. It
// returns how many places there were.
func (x *trusted) crashAtEveryChange(fn func(), check func(y *trusted, at string)) (crashed int) {
	x.t.Helper()
	x.m.setHook(func(c memCall) memFault {
		if !c.op.changes() {
			return memFault{}
		}
		crashed++
		for _, mode := range crashModes {
			y := *x
			y.m = x.m.imageLocked(mode, rand.New(rand.NewPCG(uint64(c.n), 1)))
			y.open()
			check(&y, fmt.Sprintf("%v, %v", c, mode))
			y.close()
		}
		return memFault{}
	})
	fn()
	x.m.setHook(nil)
	return crashed
}
