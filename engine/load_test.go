package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// smallLoad makes a load of a few kilobytes go through everything that a large one
// goes through.
var smallLoad = loadLimits{chunkBytes: 256, waiting: 2 << 10, help: 1 << 10, alone: 1, forget: 8, workers: 4}

func TestLoadChunkRoundTrip(t *testing.T) {
	records := []loadRecord{
		{kind: kindPut, tag: 3, space: 9, key: []byte("key"), size: 500},
		{kind: kindPut, flags: putHasExpire, expireMs: 77, key: []byte{}, size: 0},
		{kind: kindPut, flags: putHasExpire | putHasCollection, expireMs: -5, coll: 1 << 63, key: []byte("k"), size: 8, inline: 1 << 60},
		{kind: kindExpire, space: 1<<32 - 1, expireMs: 1, key: []byte("expire")},
		{kind: kindTombstone, space: 2, key: make([]byte, 1000)},
		{kind: kindElemPut, coll: 5, key: []byte("sub"), size: 1<<32 - 1},
		{kind: kindElemTombstone, coll: 5, key: []byte("sub")},
	}
	c := &loadChunk{}
	for i := range records {
		c.add(&records[i], uint64(i)<<40, int64(i)*1000)
	}
	b := c.buf
	for i := range records {
		var got loadRecord
		var seq uint64
		var offset int64
		b, seq, offset = c.next(b, &got)
		if !reflect.DeepEqual(got, records[i]) || seq != uint64(i)<<40 || offset != int64(i)*1000 {
			t.Errorf("got %+v, %d, %d, want %+v", got, seq, offset, records[i])
		}
	}
	if len(b) != 0 {
		t.Errorf("%d bytes are left", len(b))
	}
}

// churned is a database that was written, and what it must hold.
type churned struct {
	t           *testing.T
	db          *DB
	rnd         *rand.Rand
	keys, elems map[string]string
}

const churnColl = "a collection"

func newChurned(t *testing.T, dir string, opt Options, seed uint64) *churned {
	t.Helper()
	c := &churned{
		t: t, db: mustOpen(t, dir, opt), rnd: rand.New(rand.NewPCG(seed, 41)),
		keys: map[string]string{churnColl: ""}, elems: map[string]string{},
	}
	c.write([]byte(churnColl), func(tx *Tx) error {
		return tx.PutCollection(0, []byte(churnColl), Meta{}, tx.NewCollection(OrderHash), nil)
	})
	return c
}

func (c *churned) write(key []byte, fn func(tx *Tx) error) {
	c.t.Helper()
	tx := c.db.BeginKey(key, true)
	if err := fn(tx); err != nil {
		c.t.Fatal(err)
	}
	if err := c.db.commitAck(tx); err != nil {
		c.t.Fatal(err)
	}
}

// onCollection calls fn in a transaction with the collection.
func (c *churned) onCollection(fn func(tx *Tx, coll *Collection) error) {
	c.t.Helper()
	c.write([]byte(churnColl), func(tx *Tx) error {
		h, _ := tx.Get(0, []byte(churnColl))
		return fn(tx, h.Collection())
	})
}

// churn writes and deletes keys and elements again and again, so that tombstones
// lie in other files than what they hide.
func (c *churned) churn(rounds int) {
	c.t.Helper()
	for i := range rounds {
		key := []byte(fmt.Sprintf("key-%d", c.rnd.IntN(400)))
		value := strings.Repeat(fmt.Sprint(i), 1+c.rnd.IntN(6))
		switch c.rnd.IntN(6) {
		case 0, 1:
			c.write(key, func(tx *Tx) error { return tx.Put(0, key, Meta{}, []byte(value)) })
			c.keys[string(key)] = value
		case 2:
			c.write(key, func(tx *Tx) error { tx.Delete(0, key); return nil })
			delete(c.keys, string(key))
		case 3:
			c.write(key, func(tx *Tx) error { tx.SetExpire(0, key, 1<<50+int64(i)); return nil })
		case 4:
			c.onCollection(func(tx *Tx, coll *Collection) error {
				_, err := tx.PutElement(coll, key, []byte(value))
				return err
			})
			c.elems[string(key)] = value
		case 5:
			c.onCollection(func(tx *Tx, coll *Collection) error {
				tx.DeleteElement(coll, key)
				return nil
			})
			delete(c.elems, string(key))
		}
	}
}

// check compares a database with what there must be.
func (c *churned) check(db *DB) {
	c.t.Helper()
	if n := db.Len(0); n != len(c.keys) {
		c.t.Errorf("%d keys, want %d", n, len(c.keys))
	}
	for key, want := range c.keys {
		if got, err := db.Get([]byte(key)); err != nil || string(got) != want {
			c.t.Errorf("%s: got %q, %v, want %q", key, got, err, want)
		}
	}
	tx := db.BeginKey([]byte(churnColl), true)
	defer tx.Rollback()
	h, ok := tx.Get(0, []byte(churnColl))
	if !ok || h.Collection().Len() != len(c.elems) {
		c.t.Fatalf("the collection: %v, want %d elements", ok, len(c.elems))
	}
	h.Collection().AscendAt(0, func(e Element) bool {
		got, err := tx.AppendElementValue(nil, &e)
		if want, ok := c.elems[string(e.Subkey)]; !ok || err != nil || string(got) != want {
			c.t.Errorf("element %s: got %q, %v, want %q, %v", e.Subkey, got, err, want, ok)
		}
		return true
	})
}

// What is loaded does not depend on how the work is cut up: many files, some of
// them merged, with hints and without, and log files that were not sealed.
func TestLoadInPieces(t *testing.T) {
	trustSeeds(t, func(t *testing.T, seed uint64) {
		t.Helper()
		fs := newMemFS()
		opt := testOptions()
		opt.FS, opt.DataFileBytes = fs, 4<<10
		c := newChurned(t, crashDir, opt, seed)
		c.churn(2000)
		if err := c.db.Merge(t.Context(), 0.5); err != nil {
			t.Fatal(err)
		}
		c.churn(2000)
		killed := fs.image(crashKill, nil)
		mustClose(t, c.db)
		for _, without := range []int{0, 2, 1} {
			for _, limits := range []loadLimits{smallLoad, defaultLoadLimits} {
				for _, from := range []*memFS{fs, killed} {
					img := from.image(crashKill, nil)
					removeHints(t, img, without)
					opt.FS, opt.load = img, limits
					db := mustOpen(t, crashDir, opt)
					c.check(db)
					mustClose(t, db)
				}
			}
		}
	})
}

// removeHints removes every nth hint file; 0: none.
func removeHints(t *testing.T, fs *memFS, nth int) {
	t.Helper()
	names, err := fs.List(crashDir)
	if err != nil {
		t.Fatal(err)
	}
	hints := 0
	for _, name := range names {
		if filepath.Ext(name) != hintSuffix {
			continue
		}
		if hints++; nth != 0 && hints%nth == 0 {
			if err := fs.Remove(filepath.Join(crashDir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if hints < 3 {
		t.Fatalf("only %d hint files", hints)
	}
}

// loadStep is one record of a file, or its end.
type loadStep struct {
	file int
	kind recordKind // 0: the file has no more records
	seq  uint64
	key  string
}

// The order in which the records of several files come decides nothing, however
// soon what is gone is forgotten. Files 0 and 1 are log files, 2 is a merged one.
func TestLoadOrder(t *testing.T) {
	const put, gone, expire = kindPut, kindTombstone, kindExpire
	tests := []struct {
		name   string
		lowest [3]uint64
		steps  []loadStep
		want   string // the keys that there are
	}{
		{"in order", [3]uint64{1, 100, 200}, []loadStep{{0, put, 1, "a"}, {0, gone, 2, "a"}, {0, put, 3, "b"}}, "b"},
		{"a newer put", [3]uint64{1, 100, 200}, []loadStep{{0, gone, 2, "a"}, {0, put, 3, "a"}}, "a"},
		{"the older file comes later", [3]uint64{1, 100, 200}, []loadStep{
			{1, gone, 150, "a"}, {1, 0, 0, ""}, {0, put, 20, "a"}, {0, 0, 0, ""},
		}, ""},
		{"the older file has tombstones before its put", [3]uint64{1, 100, 200}, []loadStep{
			{1, gone, 150, "a"}, {1, 0, 0, ""}, {0, gone, 2, "b"}, {0, gone, 3, "c"}, {0, put, 20, "a"}, {0, 0, 0, ""},
		}, ""},
		{"the newer file ends first", [3]uint64{1, 100, 200}, []loadStep{
			{2, 0, 0, ""}, {1, gone, 150, "a"}, {1, put, 151, "x"}, {1, 0, 0, ""}, {0, gone, 2, "b"}, {0, put, 20, "a"}, {0, 0, 0, ""},
		}, "x"},
		{"a merged file is not in order", [3]uint64{100, 200, 1}, []loadStep{
			{0, 0, 0, ""}, {1, 0, 0, ""}, {2, gone, 50, "a"}, {2, gone, 60, "b"}, {2, put, 20, "a"}, {2, 0, 0, ""},
		}, ""},
		{"written again after a failed sync", [3]uint64{1, 10, 200}, []loadStep{
			{0, put, 10, "a"}, {0, gone, 11, "a"}, {0, 0, 0, ""}, {1, put, 10, "a"}, {1, 0, 0, ""},
		}, ""},
		{"twice", [3]uint64{1, 1, 200}, []loadStep{
			{0, put, 10, "a"}, {1, put, 10, "a"}, {0, gone, 11, "a"}, {1, gone, 11, "a"}, {0, put, 12, "b"}, {1, put, 12, "b"},
		}, "b"},
		{"an expiry before its put", [3]uint64{1, 100, 200}, []loadStep{
			{1, expire, 150, "a"}, {1, 0, 0, ""}, {0, gone, 2, "a"}, {0, put, 20, "a"},
		}, "a+expiry"},
		{"an expiry before anything else is forgotten", [3]uint64{300, 100, 1}, []loadStep{
			{1, expire, 150, "a"}, {1, 0, 0, ""}, {2, gone, 50, "b"}, {2, put, 20, "a"},
		}, "a+expiry"},
		{"an expiry of what is gone", [3]uint64{1, 100, 200}, []loadStep{
			{0, put, 2, "a"}, {0, expire, 3, "a"}, {0, gone, 20, "a"}, {0, put, 21, "b"},
		}, "b"},
	}
	for _, tt := range tests {
		for _, element := range []bool{false, true} {
			if element && strings.Contains(tt.name, "expiry") {
				continue // elements have none
			}
			t.Run(fmt.Sprintf("%s/%v", tt.name, element), func(t *testing.T) {
				if got := loadInOrder(t, tt.lowest, tt.steps, element); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// loadInOrder loads records in a given order, of keys or of elements, and returns
// the keys that there are then.
func loadInOrder(t *testing.T, lowest [3]uint64, steps []loadStep, element bool) string {
	t.Helper()
	opt := testOptions()
	opt.load = loadLimits{chunkBytes: 1, forget: 1, waiting: 1, workers: 1}
	db := mustOpen(t, t.TempDir(), opt)
	defer mustClose(t, db)
	ld := newLoader(db, nil)
	feeders := make([]*feeder, len(lowest))
	for i, seq := range lowest {
		f := &loadFile{dataFile: &dataFile{number: uint32(i), slot: uint16(i), kind: fileLog}, lowest: seq}
		if i == 2 {
			f.kind = fileMerged
		}
		ld.files = append(ld.files, f)
		feeders[i] = ld.newFeeder()
		feeders[i].begin(f)
	}
	for _, step := range steps {
		r := loadRecord{kind: step.kind, key: []byte(step.key), size: 100, expireMs: 1 << 50}
		if element {
			switch step.kind { //nolint:exhaustive // the others are the same for both
			case kindPut:
				r = loadRecord{kind: kindElemPut, coll: 4, key: []byte(step.key), size: 100}
			case kindTombstone:
				r = loadRecord{kind: kindElemTombstone, coll: 4, key: []byte(step.key)}
			}
		}
		if step.kind == 0 {
			feeders[step.file].end()
		} else {
			feeders[step.file].add(&r, step.seq, 100)
		}
		for ld.applyLongest() {
		}
	}
	var keys []string
	for i := range ld.parts {
		for _, table := range ld.parts[i].tables {
			for slot := range table.slots.cap() {
				if table.slots.used(slot) && table.slots.at(slot).flags&flagGhost == 0 {
					key := string(table.slots.key(slot))
					if x := ld.parts[i].expires[loadSlot{table, slot}]; x.seq > table.slots.at(slot).seq {
						key += "+expiry"
					}
					keys = append(keys, key)
				}
			}
		}
		for _, c := range ld.parts[i].colls {
			c.coll.AscendAt(0, func(e Element) bool { keys = append(keys, string(e.Subkey)); return true })
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// What is remembered of elements and keys that are gone does not grow with the log:
// a queue may see millions of them.
func TestLoadForgets(t *testing.T) {
	opt := testOptions()
	opt.DataFileBytes, opt.load = 4<<10, smallLoad
	opt.load.workers = 1 // how far several come beside each other is left to chance
	c := newChurned(t, t.TempDir(), opt, 1)
	for i := range 2000 {
		key := fmt.Appendf(nil, "key-%d", i)
		c.write(key, func(tx *Tx) error { return tx.Put(0, key, Meta{}, key) })
		c.write(key, func(tx *Tx) error { tx.Delete(0, key); return nil })
		c.onCollection(func(tx *Tx, coll *Collection) error {
			_, err := tx.PutElement(coll, key, key)
			return err
		})
		c.onCollection(func(tx *Tx, coll *Collection) error { tx.DeleteElement(coll, key); return nil })
	}
	if err := c.db.rotateAndSeal(); err != nil {
		t.Fatal(err)
	}
	ld := newLoader(c.db, nil)
	var sealed []*loadFile
	for _, f := range c.db.files.Load().all() {
		if f.sealed.Load() {
			sealed = append(sealed, &loadFile{dataFile: f, lowest: f.meta.minSeq})
		}
	}
	ld.files = sealed
	if err := ld.loadFiles(sealed, func(*feeder) error { return nil }); err != nil {
		t.Fatal(err)
	}
	ghosts, tombstones := 0, 0
	for i := range ld.parts {
		for _, table := range ld.parts[i].tables {
			ghosts += table.slots.len()
		}
		for _, coll := range ld.parts[i].colls {
			tombstones += len(coll.tombstones)
		}
	}
	// The key of the collection, and nothing else.
	if ghosts != 1 || tombstones != 0 || len(sealed) < 20 {
		t.Errorf("%d entries and %d tombstones of elements of %d files are left", ghosts, tombstones, len(sealed))
	}
	mustClose(t, c.db)
}

// A hint file with the right checksums, but an entry that is none, is made again,
// and what was loaded of it before is forgotten.
func TestUnsoundHint(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions()
	c := newChurned(t, dir, opt, 1)
	c.churn(1000)
	mustClose(t, c.db)
	hints, err := filepath.Glob(filepath.Join(dir, "*"+hintSuffix))
	if err != nil || len(hints) < 2 {
		t.Fatalf("hint files: %v, %v", hints, err)
	}
	for i, name := range hints[:2] {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, entries, _, _, err := decodeHint(b, name)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			entries[0] = 99 // an unknown kind
		} else {
			entries[len(entries)-1], b = 0xff, b[:len(b)-hintTrailerBytes-1] // the last one is cut short
			entries = entries[:len(entries)-1]
			b = append(b, readTrailer(t, name)...)
		}
		le, trailer := binary.LittleEndian, b[len(b)-hintTrailerBytes:]
		le.PutUint32(trailer[16:], crc32.Update(saltCRC(h.salt), castagnoli, entries))
		le.PutUint32(trailer[20:], crc32.Update(saltCRC(h.salt), castagnoli, trailer[:20]))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db := mustOpen(t, dir, opt)
	c.check(db)
	for _, name := range hints[:2] {
		waitFor(t, name+" is made again", func() bool {
			b, err := os.ReadFile(name)
			return err == nil && dumpHint(b, func(string, ...any) {}) == ""
		})
	}
	mustClose(t, db)
}

// readTrailer returns the trailer of a hint file.
func readTrailer(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b[len(b)-hintTrailerBytes:]
}
