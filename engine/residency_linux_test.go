package engine

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// residentDB is a database on the real file system with three extents of data.
func residentDB(t *testing.T) *DB {
	t.Helper()
	opt := testOptions()
	opt.FS, opt.DataFileBytes = nil, 32<<20
	db := mustOpen(t, t.TempDir(), opt)
	t.Cleanup(func() { mustClose(t, db) })
	value := string(make([]byte, 64<<10))
	for i := range 3 * extentBytes >> 16 {
		inTx(t, db, func(tx *Tx) { put(t, tx, 0, fmt.Sprintf("k%d", i), value, Meta{}) })
	}
	return db
}

func activeFile(db *DB) *dataFile {
	db.log.mu.Lock()
	defer db.log.mu.Unlock()
	return db.log.active
}

// evict takes the pages of a file out of memory. It reports whether the system did.
func evict(t *testing.T, f *dataFile) bool {
	t.Helper()
	fd := int(f.file.(osFile).Fd())
	if err := unix.Fsync(fd); err != nil {
		t.Fatal(err)
	}
	m := *f.mapped.Load()
	if err := unix.Madvise(m, unix.MADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	return residentBytes(m[:3*extentBytes]) == 0
}

// TestResidencyFollowsThePages writes, takes the pages away and reads them back.
func TestResidencyFollowsThePages(t *testing.T) {
	db := residentDB(t)
	f := activeFile(db)
	for i := range int64(3) {
		if !f.warm.Load().has(i) {
			t.Errorf("extent %d, which was just written, is not warm", i)
		}
	}
	if !f.inMemory(0, 3*extentBytes) {
		t.Error("what was just written is not in memory")
	}
	r := &residency{db: db}
	pass := func() {
		r.passed = time.Time{}
		// A later time than the clock's, so that the pass does not end early.
		for r.look(time.Now().Add(time.Minute)); len(r.files) > 0; {
			r.look(time.Now().Add(time.Minute))
		}
	}
	if pass(); r.pressed.Load() {
		t.Error("pressed, though all pages are there")
	}
	if !evict(t, f) {
		// A file system in memory keeps what it is told to drop; there is nothing
		// to follow there.
		t.Logf("the pages of %s cannot be dropped", os.TempDir())
		return
	}
	if f.inMemory(extentBytes, 100) {
		t.Error("a dropped page is in memory")
	}
	if pass(); !r.pressed.Load() {
		t.Error("not pressed, though pages were taken away")
	}
	for i := range int64(3) {
		if f.warm.Load().has(i) {
			t.Errorf("extent %d, which was dropped, is warm", i)
		}
	}
	buf := make([]byte, 3*extentBytes)
	if err := readFull(f.file, buf, 0); err != nil {
		t.Fatal(err)
	}
	if !f.inMemory(extentBytes, 100) {
		t.Error("a page that was read is not in memory")
	}
	pass()
	for i := range int64(3) {
		if !f.warm.Load().has(i) {
			t.Errorf("extent %d, which was read, is not warm", i)
		}
	}
}

// TestFetchOfRealPages: the whole way on the real file system.
func TestFetchOfRealPages(t *testing.T) {
	db := residentDB(t)
	var f Fetch
	if values, errs := readKeys(t, db, &f, "k5"); errs[0] != nil || len(values[0]) != 64<<10 {
		t.Fatalf("got %d bytes, %v", len(values[0]), errs[0])
	}
	file := activeFile(db)
	if !evict(t, file) {
		t.Log("the pages cannot be dropped")
		return
	}
	// Sooner or later the background finds out. It makes nothing warm that is not there.
	for i := range int64(3) {
		file.warm.Load().unset(i)
	}
	if _, errs := readKeys(t, db, &f, "k5"); errs[0] != ErrCold { //nolint:errorlint // it is never wrapped.
		t.Fatalf("got %v, want ErrCold", errs[0])
	}
	start(t, db, &f)
	if values, errs := readKeys(t, db, &f, "k5"); errs[0] != nil || len(values[0]) != 64<<10 {
		t.Fatalf("got %d bytes, %v", len(values[0]), errs[0])
	}
}
