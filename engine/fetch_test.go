package engine

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowFS is a file system of which a test can say that nothing is in memory, and
// hold reads back.
type slowFS struct {
	FS
	cold  atomic.Bool // nothing of a data file is in memory
	reads atomic.Int64
	held  atomic.Int64 // reads that are held back
	least int          // only reads of so many bytes are held back
	ahead bool         // its files can be told of reads
	told  atomic.Int64 // and were, so many times

	mu   sync.Mutex // guards following
	gate chan struct{}
}

// block holds reads back until the function it returns is called.
func (s *slowFS) block() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	}
}

func (s *slowFS) Create(name string) (File, error)        { return s.file(s.FS.Create(name)) }
func (s *slowFS) Open(name string, ro bool) (File, error) { return s.file(s.FS.Open(name, ro)) }

func (s *slowFS) file(f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	if s.ahead {
		return &aheadFile{slowFile{f, s}}, nil
	}
	return &slowFile{f, s}, nil
}

// aheadFile is a slowFile that can be told of reads.
type aheadFile struct{ slowFile }

func (f *aheadFile) ReadAhead(int64, int) { f.fs.told.Add(1) }

type slowFile struct {
	File
	fs *slowFS
}

func (f *slowFile) Map(int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func (f *slowFile) InMemory(int64, int) bool { return !f.fs.cold.Load() }

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	gate := f.fs.gate
	f.fs.mu.Unlock()
	if gate != nil && len(p) >= f.fs.least {
		f.fs.held.Add(1)
		<-gate
		f.fs.held.Add(-1)
	}
	f.fs.reads.Add(1)
	return f.File.ReadAt(p, off)
}

// coldDB is a database in memory of which a test can say that it is cold, and
// which holds keys k0, k1, ... with the values of coldValue.
func coldDB(t *testing.T, keys int, change func(*Options)) (*DB, *slowFS) {
	t.Helper()
	fs := &slowFS{FS: newMemFS()}
	return fillCold(t, fs, keys, change), fs
}

// fillCold is coldDB on a file system.
func fillCold(t *testing.T, fs *slowFS, keys int, change func(*Options)) *DB {
	t.Helper()
	opt := testOptions()
	opt.FS = fs
	if change != nil {
		change(&opt)
	}
	db := mustOpen(t, "/db", opt)
	t.Cleanup(func() { mustClose(t, db) })
	inTx(t, db, func(tx *Tx) {
		for i := range keys {
			put(t, tx, 0, fmt.Sprintf("k%d", i), coldValue(i), Meta{Tag: 1})
		}
	})
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	fs.cold.Store(true)
	return db
}

func coldValue(i int) string { return strings.Repeat(fmt.Sprintf("value %d ", i), 4) }

// readKeys reads keys in a transaction that must not wait.
func readKeys(t *testing.T, db *DB, f *Fetch, keys ...string) (values []string, errs []error) {
	t.Helper()
	tx := db.Begin(allShards(db), false)
	defer tx.Rollback()
	tx.NoWait(f)
	for _, key := range keys {
		h, ok := tx.Get(0, []byte(key))
		if !ok {
			t.Fatalf("no key %s", key)
		}
		value, err := tx.AppendValue(nil, &h)
		values, errs = append(values, string(value)), append(errs, err)
	}
	if tx.IsCold() != f.Cold() {
		t.Errorf("the transaction is cold: %v, its Fetch: %v", tx.IsCold(), f.Cold())
	}
	return values, errs
}

// start reads what f has noted.
func start(t *testing.T, db *DB, f *Fetch) {
	t.Helper()
	if !f.Cold() {
		t.Fatal("nothing was noted")
	}
	done := make(chan struct{})
	f.Start(db, func() { close(done) })
	<-done
}

func TestFetchReadsWhatIsCold(t *testing.T) {
	db, fs := coldDB(t, 3, nil)
	var f Fetch
	_, errs := readKeys(t, db, &f, "k0", "k2")
	for _, err := range errs {
		if !errors.Is(err, ErrCold) {
			t.Fatalf("got %v, want ErrCold", err)
		}
	}
	start(t, db, &f)
	if n := fs.reads.Load(); n < 2 {
		t.Errorf("%d reads, want 2", n)
	}
	values, errs := readKeys(t, db, &f, "k0", "k2")
	for i, key := range []int{0, 2} {
		if values[i] != coldValue(key) || errs[i] != nil {
			t.Errorf("k%d: got %q, %v", key, values[i], errs[i])
		}
	}
	if f.Cold() {
		t.Error("values that were read are cold")
	}
	if _, errs = readKeys(t, db, &f, "k1"); !errors.Is(errs[0], ErrCold) {
		t.Errorf("a value that was not read: got %v", errs[0])
	}
	f.Drop(db)
	f.Reset()
	if _, errs = readKeys(t, db, &f, "k0"); !errors.Is(errs[0], ErrCold) {
		t.Errorf("after Reset: got %v, want ErrCold", errs[0])
	}
	f.Drop(db)
}

// TestFetchTellsOfReads: a few readers wait, and the disk has been told of as many
// reads as it may have at a time.
func TestFetchTellsOfReads(t *testing.T) {
	const keys = 40
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("k%d", i)
	}
	for _, tt := range []struct{ limit, held, told int }{
		{1, 1, 1}, {2, 2, 2}, {10, aheadReaders, 10}, {60, aheadReaders, keys},
	} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			fs := &slowFS{FS: newMemFS(), ahead: true}
			db := fillCold(t, fs, keys, func(o *Options) { o.ColdReaders = tt.limit })
			var f Fetch
			readKeys(t, db, &f, names...)
			release := sync.OnceFunc(fs.block())
			t.Cleanup(release)
			done := make(chan struct{})
			f.Start(db, func() { close(done) })
			waitFor(t, "the disk has what it may have", func() bool {
				return fs.held.Load() == int64(tt.held) && fs.told.Load() == int64(tt.told)
			})
			if c := db.Stats().Cold; c.Readers != tt.told || c.Queued != keys-tt.told {
				t.Errorf("%d reads are said to be on their way, and %d to wait, want %d and %d", c.Readers, c.Queued, tt.told, keys-tt.told)
			}
			release()
			<-done
			if n := fs.told.Load(); n != keys {
				t.Errorf("the disk was told of %d reads, want %d", n, keys)
			}
			values, errs := readKeys(t, db, &f, names...)
			for i := range names {
				if values[i] != coldValue(i) || errs[i] != nil {
					t.Errorf("%s: got %q, %v", names[i], values[i], errs[i])
				}
			}
			waitFor(t, "the readers end", func() bool { return db.Stats().Cold.Readers == 0 })
		})
	}
}

// TestFetchOfLargeValuesHoldsNobodyUp: as many large reads as there are readers that
// tell the disk, which do not come back, and a small one behind them.
func TestFetchOfLargeValuesHoldsNobodyUp(t *testing.T) {
	fs := &slowFS{FS: newMemFS(), ahead: true, least: largeReadBytes}
	db := fillCold(t, fs, 1, func(o *Options) { o.DataFileBytes = 8 << 20 })
	large := strings.Repeat("large", largeReadBytes/4)
	inTx(t, db, func(tx *Tx) {
		for i := range aheadReaders {
			put(t, tx, 0, fmt.Sprintf("large%d", i), large, Meta{})
		}
	})
	if err := db.rotateAndSeal(); err != nil {
		t.Fatal(err)
	}
	db.hints.takeAll() // to write one is to read, too
	release := sync.OnceFunc(fs.block())
	t.Cleanup(release)
	var fetches [aheadReaders]Fetch
	var done sync.WaitGroup
	for i := range fetches {
		readKeys(t, db, &fetches[i], fmt.Sprintf("large%d", i))
		done.Add(1)
		fetches[i].Start(db, done.Done)
		waitFor(t, "the large reads are held back", func() bool { return fs.held.Load() == int64(i+1) })
	}
	var f Fetch
	readKeys(t, db, &f, "k0")
	came := make(chan struct{})
	f.Start(db, func() { close(came) })
	select {
	case <-came:
	case <-time.After(time.Minute):
		t.Error("the small read waits for the large ones")
		release()
		<-came
	}
	release()
	done.Wait()
	for i := range fetches {
		values, errs := readKeys(t, db, &fetches[i], fmt.Sprintf("large%d", i))
		if errs[0] != nil || values[0] != large {
			t.Errorf("large value %d: got %d bytes, %v", i, len(values[0]), errs[0])
		}
	}
}

// TestFetchHoldsNobodyUp has a read that does not come back, and writes to its
// shard and its key meanwhile.
func TestFetchHoldsNobodyUp(t *testing.T) {
	db, fs := coldDB(t, 1, func(o *Options) { o.Shards = 1 })
	var f Fetch
	readKeys(t, db, &f, "k0")
	release := sync.OnceFunc(fs.block())
	t.Cleanup(release)
	done := make(chan struct{})
	f.Start(db, func() { close(done) })
	inTx(t, db, func(tx *Tx) { put(t, tx, 0, "k0", "today", Meta{Tag: 1}) })
	var g Fetch
	if values, errs := readKeys(t, db, &g, "k0"); errs[0] != nil || values[0] != "today" {
		t.Errorf("got %q, %v", values, errs)
	}
	select {
	case <-done:
		t.Error("the read came back")
	default:
	}
	release()
	<-done
	// The old value was read; the new one is what counts.
	if values, errs := readKeys(t, db, &f, "k0"); errs[0] != nil || values[0] != "today" {
		t.Errorf("got %q, %v", values, errs)
	}
}

func TestFetchGathersElements(t *testing.T) {
	db, _ := coldDB(t, 0, nil)
	const n = firstRound + 10
	inTx(t, db, func(tx *Tx) {
		c := tx.NewCollection(OrderBytes)
		for i := range n {
			if _, err := tx.PutElement(c, fmt.Appendf(nil, "e%04d", i), []byte(coldValue(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.PutCollection(0, []byte("c"), Meta{Tag: 2}, c, nil); err != nil {
			t.Fatal(err)
		}
	})
	var f Fetch
	read := func() (got []string, last error) {
		tx := db.Begin(allShards(db), false)
		defer tx.Rollback()
		tx.NoWait(&f)
		h, _ := tx.Get(0, []byte("c"))
		h.Collection().AscendAt(0, func(e Element) bool {
			var value []byte
			value, last = tx.AppendElementValue(nil, &e)
			got = append(got, string(value))
			return last == nil
		})
		return got, last
	}
	rounds := 0
	for {
		got, err := read()
		if !f.Cold() {
			if err != nil || len(got) != n {
				t.Fatalf("%d elements, %v", len(got), err)
			}
			for i := range got {
				if got[i] != coldValue(i) {
					t.Errorf("element %d: %q", i, got[i])
				}
			}
			break
		}
		if rounds++; rounds > 2 {
			t.Fatalf("more than 2 rounds for %d elements", n)
		}
		if rounds == 1 && !errors.Is(err, ErrCold) {
			t.Errorf("a full round: got %v, want ErrCold", err)
		}
		start(t, db, &f)
	}
}

// TestFetchWaitsInTheEnd: a transaction that is cold again and again gets to its
// end all the same.
func TestFetchWaitsInTheEnd(t *testing.T) {
	db, _ := coldDB(t, maxRounds+1, nil)
	var f Fetch
	for i := range maxRounds {
		readKeys(t, db, &f, fmt.Sprintf("k%d", i))
		start(t, db, &f)
	}
	values, errs := readKeys(t, db, &f, fmt.Sprintf("k%d", maxRounds))
	if errs[0] != nil || values[0] != coldValue(maxRounds) {
		t.Errorf("after %d rounds: got %q, %v", maxRounds, values[0], errs[0])
	}
}

func TestFetchFindsDamage(t *testing.T) {
	db, fs := coldDB(t, 1, nil)
	mem := fs.FS.(*memFS)
	mem.mu.Lock()
	for _, node := range mem.dirs["/db"].names {
		if i := bytes.Index(node.data, []byte(coldValue(0))); i >= 0 {
			node.data[i] ^= 1
		}
	}
	mem.mu.Unlock()
	db.SetValueCache(1 << 20)
	var f Fetch
	for range 2 {
		readKeys(t, db, &f, "k0")
		start(t, db, &f)
		if values, errs := readKeys(t, db, &f, "k0"); !errors.Is(errs[0], ErrCorrupt) || values[0] != "" {
			t.Errorf("got %q, %v, want ErrCorrupt", values[0], errs[0])
		}
		f.Reset()
	}
	if n := db.Stats().ChecksumErrors; n != 2 {
		t.Errorf("%d checksum errors counted, want 2", n)
	}
}

// TestFetchPinsFiles merges a file away while a read of it has not come back.
func TestFetchPinsFiles(t *testing.T) {
	db, fs := coldDB(t, 200, func(o *Options) { o.DataFileBytes = 4 << 10 })
	var f Fetch
	readKeys(t, db, &f, "k0")
	old := f.reads[0].file
	inTx(t, db, func(tx *Tx) {
		for i := range 200 {
			put(t, tx, 0, fmt.Sprintf("k%d", i), coldValue(i)+"!", Meta{Tag: 1})
		}
	})
	if err := db.Merge(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if db.files.Load().get(old.number) != nil {
		t.Fatal("the file was not merged away")
	}
	start(t, db, &f)
	if err := f.reads[0].err; err != nil || string(f.reads[0].value) != coldValue(0) {
		t.Errorf("the read of a file that was merged away: %q, %v", f.reads[0].value, err)
	}
	// The background may read it for another moment.
	waitFor(t, "the file goes", func() bool {
		f, err := fs.Open(filepath.Join("/db", old.name()), true)
		return err != nil || f.Close() != nil
	})
	fs.cold.Store(false)
	if values, errs := readKeys(t, db, &f, "k0"); errs[0] != nil || values[0] != coldValue(0)+"!" {
		t.Errorf("got %q, %v", values[0], errs[0])
	}
}

// TestFetchAtClose: what is noted when the database closes is answered.
func TestFetchAtClose(t *testing.T) {
	fs := &slowFS{FS: newMemFS()}
	opt := testOptions()
	opt.FS = fs
	db := mustOpen(t, "/db", opt)
	inTx(t, db, func(tx *Tx) { put(t, tx, 0, "k0", coldValue(0), Meta{}) })
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	fs.cold.Store(true)
	var f Fetch
	readKeys(t, db, &f, "k0")
	release := fs.block()
	done := make(chan struct{})
	f.Start(db, func() { close(done) })
	go release()
	mustClose(t, db)
	<-done
}

func TestFetchConcurrently(t *testing.T) {
	db, _ := coldDB(t, 100, func(o *Options) { o.ColdReaders, o.ValueCacheBytes = 3, 256<<10 })
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var f Fetch
			for i := range 200 {
				n := (i*7 + g) % 100
				key := fmt.Sprintf("k%d", n)
				for {
					values, errs := readKeys(t, db, &f, key)
					if !f.Cold() {
						if errs[0] != nil || values[0] != coldValue(n) {
							t.Errorf("%s: got %q, %v", key, values[0], errs[0])
						}
						break
					}
					start(t, db, &f)
				}
				f.Reset()
			}
		})
	}
	wg.Wait()
}
