package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

func allShards(db *DB) *ShardSet {
	var set ShardSet
	set.AddAll(db.Shards())
	return &set
}

// inTx runs fn in a writing transaction over all shards and commits it.
func inTx(t *testing.T, db *DB, fn func(tx *Tx)) uint64 {
	t.Helper()
	tx := db.Begin(allShards(db), true)
	fn(tx)
	seq, err := tx.Commit()
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if err := db.Ack(seq); err != nil {
		t.Fatalf("Ack: %v", err)
	}
	return seq
}

func put(t *testing.T, tx *Tx, space int, key, value string, m Meta) {
	t.Helper()
	if err := tx.Put(space, []byte(key), m, []byte(value)); err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
}

// dumpDB returns all that a database holds, as text: for comparing.
func dumpDB(t *testing.T, db *DB) string {
	t.Helper()
	var lines []string
	tx := db.Begin(allShards(db), false)
	defer tx.Rollback()
	for space := range db.spaces {
		n := 0
		for shard := range db.Shards() {
			if _, end := tx.Scan(space, shard, 0, func(key []byte, h Head) bool {
				n++
				value, err := tx.AppendValue(nil, &h)
				line := fmt.Sprintf("%d %q tag %d expire %d = %q %v", space, key, h.Tag, h.ExpireMs, value, err)
				if c := h.Collection(); c != nil {
					line += fmt.Sprintf(" order %d:", c.ID().Order())
					c.AscendAt(0, func(e Element) bool {
						value, err := tx.AppendElementValue(nil, &e)
						line += fmt.Sprintf(" %q=%q %v", e.Subkey, value, err)
						return true
					})
				}
				lines = append(lines, line)
				return true
			}); !end {
				t.Errorf("Scan of shard %d did not end", shard)
			}
		}
		if n != db.Len(space) {
			t.Errorf("keyspace %d: Scan met %d keys, Len is %d", space, n, db.Len(space))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestTxSeesItsOwnWrites(t *testing.T) {
	db := mustOpen(t, t.TempDir(), testOptions())
	defer mustClose(t, db)
	long := strings.Repeat("long value ", 100)
	inTx(t, db, func(tx *Tx) {
		versions := map[uint64]bool{}
		for _, value := range []string{"short", long, "", "12345678", long + "!"} {
			put(t, tx, 0, "key", value, Meta{Tag: 3})
			h, ok := tx.Get(0, []byte("key"))
			if !ok || h.Version == 0 || versions[h.Version] || h.Size != len(value) || h.Tag != 3 {
				t.Errorf("after Put: got %+v, %v", h, ok)
			}
			versions[h.Version] = true
			if got, err := tx.AppendValue(nil, &h); err != nil || string(got) != value {
				t.Errorf("got %q, %v, want %q", got, err, value)
			}
		}
		if !tx.Delete(0, []byte("key")) || tx.Delete(0, []byte("key")) {
			t.Error("Delete does not see what the transaction did")
		}
		if _, ok := tx.Get(0, []byte("key")); ok {
			t.Error("a deleted key is there")
		}
		if n := db.Len(0); n != 0 {
			t.Errorf("Len is %d", n)
		}
		put(t, tx, 0, "key", long, Meta{})
		put(t, tx, 1, "key", "in another space", Meta{})
	})
	if got, err := db.Get([]byte("key")); err != nil || string(got) != long {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRollbackRestoresEverything(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, testOptions())
	inTx(t, db, func(tx *Tx) { fillSample(t, tx) })
	want := dumpDB(t, db)
	seq := db.log.endSeq.Load()
	tx := db.Begin(allShards(db), true)
	scramble(t, tx)
	tx.Rollback()
	if got := dumpDB(t, db); got != want {
		t.Errorf("after Rollback:\n%s\nwant:\n%s", got, want)
	}
	if got := db.log.endSeq.Load(); got != seq {
		t.Errorf("Rollback wrote %d records", got-seq)
	}
	db.log.fail(errors.New("made to fail"))
	tx = db.Begin(allShards(db), true)
	scramble(t, tx)
	if _, err := tx.Commit(); !errors.Is(err, ErrFailed) {
		t.Fatalf("Commit: got %v, want ErrFailed", err)
	}
	if got := dumpDB(t, db); got != want {
		t.Errorf("after a failed Commit:\n%s\nwant:\n%s", got, want)
	}
	if err := db.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: got %v, want ErrFailed", err)
	}
	db = mustOpen(t, dir, testOptions())
	if got := dumpDB(t, db); got != want {
		t.Errorf("after reopening:\n%s\nwant:\n%s", got, want)
	}
	mustClose(t, db)
}

// fillSample makes keys and collections of every sort.
func fillSample(t *testing.T, tx *Tx) {
	t.Helper()
	for i := range 30 {
		put(t, tx, i%3, fmt.Sprintf("key-%d", i), strings.Repeat("v", i), Meta{Tag: uint8(i), ExpireMs: int64(i % 2 * 1e15)})
	}
	for order := OrderHash; order <= OrderScore; order++ {
		c := tx.NewCollection(order)
		for i := range 20 {
			if _, err := tx.PutElement(c, fmt.Appendf(nil, "sub-%d", i), fmt.Appendf(nil, "value-%02d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.PutCollection(0, fmt.Appendf(nil, "coll-%d", order), Meta{Tag: 9}, c, []byte("beside")); err != nil {
			t.Fatal(err)
		}
	}
}

// scramble changes all that fillSample made.
func scramble(t *testing.T, tx *Tx) {
	t.Helper()
	for i := range 30 {
		key := fmt.Sprintf("key-%d", i)
		switch i % 5 {
		case 0:
			tx.Delete(i%3, []byte(key))
		case 1:
			put(t, tx, i%3, key, "another", Meta{})
		case 2:
			tx.SetExpire(i%3, []byte(key), int64(i))
		case 3:
			tx.Delete(i%3, []byte(key))
			put(t, tx, i%3, key, strings.Repeat("x", 50), Meta{Tag: 200})
		case 4:
			if _, err := tx.Rename(i%3, []byte(key), (i+1)%3, []byte("renamed-"+key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for order := range 3 {
		h, ok := tx.Get(0, fmt.Appendf(nil, "coll-%d", order))
		if !ok {
			t.Fatalf("coll-%d is gone", order)
		}
		c := h.Collection()
		for i := range 20 {
			sub := fmt.Appendf(nil, "sub-%d", i)
			if rank, ok := c.Rank(sub); i%4 == 0 && ok {
				tx.DeleteElementAt(c, rank)
			} else if i%2 == 0 {
				tx.DeleteElement(c, sub)
			}
			if i%3 == 0 {
				if _, err := tx.PutElement(c, sub, []byte("changed!")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if c.ID().Order() == OrderScore {
			tx.DeleteElementAtScore(c, c.Len()/2)
			tx.DeleteElementAtScore(c, 0)
		}
	}
	tx.Delete(0, []byte("coll-0"))
	if _, err := tx.Rename(0, []byte("coll-1"), 2, []byte("moved")); err != nil {
		t.Fatal(err)
	}
	put(t, tx, 0, "coll-2", "a plain value", Meta{})
	tx.SwapSpaces(0, 1)
	tx.ClearSpace(2)
	put(t, tx, 2, "after the clear", "value", Meta{ExpireMs: 5})
	tx.SwapSpaces(1, 2)
	tx.NewCollection(OrderBytes)
}

func TestEverythingComesBack(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions()
	opt.DataFileBytes = 4 << 10
	db := mustOpen(t, dir, opt)
	inTx(t, db, func(tx *Tx) { fillSample(t, tx) })
	for round := range 3 {
		want := dumpDB(t, db)
		checkLive(t, db)
		mustClose(t, db)
		db = mustOpen(t, dir, opt)
		if got := dumpDB(t, db); got != want {
			t.Fatalf("round %d, after reopening:\n%s\nwant:\n%s", round, got, want)
		}
		if round == 0 {
			inTx(t, db, func(tx *Tx) { scramble(t, tx) })
		}
	}
	checkLive(t, db)
	mustClose(t, db)
}

// checkLive compares the counters of live bytes with a count of all records that
// the keydir refers to.
func checkLive(t *testing.T, db *DB) {
	t.Helper()
	waitFor(t, "dropped collections taken apart", func() bool { return db.reaper.pending() == 0 })
	want := map[uint32]int64{}
	tx := db.Begin(allShards(db), false)
	defer tx.Rollback()
	files := db.files.Load()
	for i := range db.shards {
		for _, tab := range db.shards[i].tables {
			if tab == nil {
				continue
			}
			for slot := range tab.slots.all {
				e := tab.slots.at(slot)
				n, expire := tab.recordBytes(&e)
				want[files.bySlot(e.recFile).number] += expire
				if e.flags&flagInline != 0 {
					want[files.bySlot(e.recFile).number] += n
				} else {
					want[e.loc.file()] += n
				}
				if e.coll != 0 {
					db.colls.at(e.coll).AscendAt(0, func(el Element) bool {
						want[files.bySlot(el.recFile).number] += elemRecordBytes(uint64(el.coll), len(el.Subkey), el.Size)
						return true
					})
				}
			}
		}
	}
	for n := range db.spaces {
		if sp := db.spaces[n].Load(); sp.mapSeq != 0 {
			want[files.bySlot(sp.mapFile).number] += spaceMapBytes(uint32(n), sp.id)
		}
	}
	for _, f := range files.all() {
		if live := f.live.Load(); live != want[f.number] || live > f.total.Load() {
			t.Errorf("%s: %d live bytes, counted %d, of %d", f.name(), live, want[f.number], f.total.Load())
		}
	}
}

func TestExpireRecords(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions()
	opt.DataFileBytes = 4 << 10
	db := mustOpen(t, dir, opt)
	long := strings.Repeat("v", 1000)
	for i := range 20 {
		key := fmt.Sprintf("key-%d", i)
		inTx(t, db, func(tx *Tx) { put(t, tx, 0, key, long, Meta{Tag: 1}) })
		inTx(t, db, func(tx *Tx) { tx.SetExpire(0, []byte(key), int64(1e15)+int64(i)) })
		switch i % 4 {
		case 1:
			inTx(t, db, func(tx *Tx) { put(t, tx, 0, key, long, Meta{Tag: 2}) })
		case 2:
			inTx(t, db, func(tx *Tx) { tx.Delete(0, []byte(key)) })
		case 3:
			inTx(t, db, func(tx *Tx) { tx.SetExpire(0, []byte(key), 0) })
		}
	}
	if keys, average := db.ExpireStats(0); keys != 5 || average != 1e15+8 {
		t.Errorf("ExpireStats: got %d, %d", keys, average)
	}
	want := dumpDB(t, db)
	checkLive(t, db)
	for range 2 {
		mustClose(t, db)
		db = mustOpen(t, dir, opt)
		if got := dumpDB(t, db); got != want {
			t.Errorf("after reopening:\n%s\nwant:\n%s", got, want)
		}
	}
	if keys, average := db.ExpireStats(0); keys != 5 || average != 1e15+8 {
		t.Errorf("ExpireStats after reopening: got %d, %d", keys, average)
	}
	checkLive(t, db)
	mustClose(t, db)
}

func TestExpired(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{Shards: 1, Spaces: 3, MergeDeadBytes: -1})
	defer mustClose(t, db)
	inTx(t, db, func(tx *Tx) {
		for i := range 10 {
			put(t, tx, i%3, fmt.Sprint(i), "v", Meta{ExpireMs: int64(100 - i)})
		}
		tx.SetExpire(0, []byte("9"), 0)
		tx.SetExpire(0, []byte("0"), 100) // the same again
	})
	met := func(tx *Tx, nowMs int64, limit int, remove bool) (keys []string) {
		tx.Expired(0, nowMs, limit, func(space int, key []byte, h Head) bool {
			keys = append(keys, fmt.Sprintf("%d/%s@%d", space, key, h.ExpireMs))
			if remove && !tx.Delete(space, bytes.Clone(key)) {
				t.Errorf("%s does not exist", key)
			}
			return true
		})
		return keys
	}
	tx := db.Begin(allShards(db), true)
	if tx.Expiring(0, 91) || !tx.Expiring(0, 92) {
		t.Error("Expiring is wrong")
	}
	first := []string{"2/8@92", "1/7@93", "0/6@94"}
	for range 2 {
		if got := met(tx, 94, 100, false); !slices.Equal(got, first) {
			t.Errorf("got %v, want %v", got, first)
		}
	}
	if got := met(tx, 1000, 2, true); !slices.Equal(got, first[:2]) {
		t.Errorf("with a limit: got %v, want %v", got, first[:2])
	}
	tx.Rollback()
	tx = db.Begin(allShards(db), true)
	tx.SwapSpaces(0, 2)
	swapped := []string{"0/8@92", "1/7@93", "2/6@94", "0/5@95", "1/4@96", "2/3@97", "0/2@98", "1/1@99", "2/0@100"}
	if got := met(tx, 1000, 100, true); !slices.Equal(got, swapped) {
		t.Errorf("got %v, want %v", got, swapped)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := db.Len(0) + db.Len(1) + db.Len(2); n != 1 {
		t.Errorf("%d keys are left, want 1", n)
	}
}

// A key that exists during a whole walk is met exactly once, whatever else comes
// and goes, and even if it is deleted and written again in one transaction.
func TestScanGuarantee(t *testing.T) {
	db := mustOpen(t, t.TempDir(), testOptions())
	defer mustClose(t, db)
	rng := rand.New(rand.NewPCG(1, 1))
	inTx(t, db, func(tx *Tx) {
		for i := range 300 {
			put(t, tx, 0, fmt.Sprintf("stays-%d", i), "v", Meta{})
			put(t, tx, 0, fmt.Sprintf("goes-%d", i), "v", Meta{})
		}
	})
	met := map[string]int{}
	tx := db.Begin(&ShardSet{}, false)
	for shard := range db.Shards() {
		for from, end := uint32(0), false; !end; {
			tx.WithShard(shard, func() {
				n := 0
				from, end = tx.Scan(0, shard, from, func(key []byte, _ Head) bool {
					met[string(key)]++
					n++
					return n < 3
				})
			})
			inTx(t, db, func(w *Tx) {
				w.Delete(0, fmt.Appendf(nil, "goes-%d", rng.IntN(300)))
				put(t, w, 0, fmt.Sprintf("comes-%d", rng.IntN(1000)), "v", Meta{})
				key := fmt.Sprintf("stays-%d", rng.IntN(300))
				w.Delete(0, []byte(key))
				put(t, w, 0, key, "again", Meta{})
			})
		}
	}
	tx.Rollback()
	for i := range 300 {
		if key := fmt.Sprintf("stays-%d", i); met[key] != 1 {
			t.Errorf("%s was met %d times", key, met[key])
		}
	}
}

func TestRandomIsUniform(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{Shards: 1, MergeDeadBytes: -1})
	defer mustClose(t, db)
	inTx(t, db, func(tx *Tx) {
		for i := range 4000 {
			put(t, tx, 0, fmt.Sprint(i), "v", Meta{})
		}
		for i := range 4000 {
			if i%400 != 0 {
				tx.Delete(0, []byte(fmt.Sprint(i)))
			}
		}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	met := map[string]int{}
	tx := db.Begin(allShards(db), false)
	for range 10000 {
		key, _, ok := tx.Random(0, 0, rng.Uint32N)
		if !ok {
			t.Fatal("no key")
		}
		met[string(key)]++
	}
	if tx.ShardLen(0, 0) != 10 {
		t.Errorf("ShardLen is %d", tx.ShardLen(0, 0))
	}
	tx.Rollback()
	for key, n := range met {
		if n < 800 || n > 1200 {
			t.Errorf("%s was met %d times of 10000, want about 1000", key, n)
		}
	}
	if len(met) != 10 {
		t.Errorf("%d keys were met, want 10", len(met))
	}
}

func TestLimits(t *testing.T) {
	db := mustOpen(t, t.TempDir(), testOptions())
	defer mustClose(t, db)
	tx := db.Begin(allShards(db), true)
	if err := tx.room(MaxKeyBytes+1, 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("key too long: got %v", err)
	}
	if err := tx.room(1, MaxFrameBytes); !errors.Is(err, ErrTooLarge) {
		t.Errorf("value too long: got %v", err)
	}
	c := tx.NewCollection(OrderScore)
	if _, err := tx.PutElement(c, []byte("m"), []byte("no score")[:7]); err == nil {
		t.Error("an element ordered by score has a value of 7 bytes")
	}
	// A frame larger than a data file gets a file of its own.
	big := bytes.Repeat([]byte("b"), 100<<10)
	if err := tx.Put(0, []byte("big"), Meta{}, big); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("small"), []byte("after it")); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Get([]byte("big")); err != nil || !bytes.Equal(got, big) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// Writers, readers, scans, clears and syncs at the same time; run with -race. A
// value always says which key it is of.
func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions()
	opt.DataFileBytes = 64 << 10
	db := mustOpen(t, dir, opt)
	const keys, rounds = 200, 1500
	value := func(i, n int) []byte {
		return append(fmt.Appendf(nil, "key-%d:%d:", i, n), bytes.Repeat([]byte("v"), n%150)...)
	}
	var work sync.WaitGroup
	check := func(key, got []byte, err error) {
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", key, err)
		} else if err == nil && !bytes.HasPrefix(got, append(bytes.Clone(key), ':')) {
			t.Errorf("%s has the value %q", key, got)
		}
	}
	for w := range 3 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for n := range rounds {
				i := rng.IntN(keys)
				key := fmt.Appendf(nil, "key-%d", i)
				var err error
				switch rng.IntN(10) {
				case 0:
					err = db.Delete(key)
				case 1:
					got, err := db.Get(key)
					check(key, got, err)
				default:
					err = db.Put(key, value(i, n))
				}
				if err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	work.Go(func() {
		for range 30 {
			it := db.NewIterator(IteratorOptions{Prefix: []byte("key-1")})
			for it.Rewind(); it.Valid(); it.Next() {
				got, err := it.Value()
				check(it.Key(), got, err)
			}
			if err := errors.Join(it.Err(), db.Sync()); err != nil {
				t.Error(err)
			}
			db.Stats()
		}
	})
	work.Wait()
	want := dumpDB(t, db)
	checkLive(t, db)
	mustClose(t, db)
	db = mustOpen(t, dir, opt)
	if got := dumpDB(t, db); got != want {
		t.Error("reopening changed something")
	}
	mustClose(t, db)
}
