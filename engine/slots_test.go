package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// checkSlots compares a slot table with what should be in it.
func checkSlots(t *testing.T, table *slotTable, want map[uint32]string) {
	t.Helper()
	if table.len() != len(want) {
		t.Fatalf("len is %d, want %d", table.len(), len(want))
	}
	used := 0
	for slot := range table.cap() {
		key, ok := want[slot]
		if table.used(slot) != ok {
			t.Fatalf("used(%d) is %v, want %v", slot, !ok, ok)
		}
		if !ok {
			continue
		}
		used++
		if got := table.key(slot); string(got) != key {
			t.Fatalf("key(%d) is %.40q, want %.40q", slot, got, key)
		}
		if got := table.at(slot).seq; got != uint64(slot)+7 {
			t.Fatalf("the entry of slot %d is not its own: seq %d", slot, got)
		}
	}
	if used != len(want) {
		t.Fatalf("%d slots are in use below cap %d, want %d", used, table.cap(), len(want))
	}
	if table.used(table.cap()) || table.used(1<<31) {
		t.Fatal("a slot at or above cap is in use")
	}
}

// randomKey returns a key of a length from all size classes, now and then longer
// than every class.
func randomKey(rnd *rand.Rand) []byte {
	n := rnd.IntN(40)
	switch rnd.IntN(10) {
	case 0:
		n = rnd.IntN(maxCellBytes + 1)
	case 1:
		n = maxCellBytes - 1 + rnd.IntN(4)
	}
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(rnd.Uint32())
	}
	return key
}

func TestSlotTableRandom(t *testing.T) {
	const seed = 4711
	rnd := rand.New(rand.NewPCG(seed, 1))
	table := newSlotTable()
	want := map[uint32]string{}
	entries := map[uint32]*entry{}
	for round := range 6 {
		grow := round%2 == 0
		for range 4000 {
			if rnd.IntN(10) < 7 == grow {
				key := randomKey(rnd)
				slot, e := table.alloc(key)
				if _, ok := want[slot]; ok {
					t.Fatalf("seed %d: slot %d given out twice", seed, slot)
				}
				if e.loc != 0 || e.seq != 0 || e.expireMs != 0 || e.coll != 0 || e.tag != 0 {
					t.Fatalf("seed %d: a new entry is not zeroed: %+v", seed, e)
				}
				e.seq = uint64(slot) + 7
				want[slot], entries[slot] = string(key), e
				continue
			}
			for slot := range want {
				table.free(slot)
				delete(want, slot)
				break
			}
		}
		checkSlots(t, table, want)
		for slot := range want {
			if table.at(slot) != entries[slot] {
				t.Fatalf("seed %d: the entry of slot %d moved", seed, slot)
			}
		}
	}
	for slot := range want {
		table.free(slot)
		delete(want, slot)
	}
	checkSlots(t, table, want)
	if got := table.bytes(); got > 2048 {
		t.Errorf("seed %d: an emptied table uses %d bytes, want at most 2048", seed, got)
	}
}

// Every length has a class that fits it, and wastes little.
func TestSlotTableKeyClasses(t *testing.T) {
	for n := 1; n <= maxCellBytes; n++ {
		class := classOf(n)
		size := classSize(class)
		if size < n || (size-n > 7 && size > n+n/4) {
			t.Fatalf("a key of %d bytes gets a cell of %d", n, size)
		}
		if class > 0 && classSize(class-1) >= n {
			t.Fatalf("a key of %d bytes gets class %d, but the one below fits", n, class)
		}
		for chunks := range uint32(12) {
			if cells := chunkSize(class, chunks) / size; cells < 2 || cells > 1<<cellRefBits {
				t.Fatalf("chunk %d of class %d has %d cells", chunks, class, cells)
			}
		}
	}
}

func TestSlotTablePages(t *testing.T) {
	next := uint32(0)
	for page := range uint32(20) {
		if pageBase(page) != next {
			t.Fatalf("page %d begins at %d, want %d", page, pageBase(page), next)
		}
		for place := range pagePlaces(page) {
			if p, at := pageOf(next); p != page || at != place {
				t.Fatalf("slot %d is at %d in page %d, want %d in %d", next, at, p, place, page)
			}
			next++
		}
	}
}

func TestSlotTableSmall(t *testing.T) {
	table := newSlotTable()
	if got := table.bytes(); got > 300 {
		t.Errorf("an empty table uses %d bytes, want at most 300", got)
	}
	for i := range 4 {
		table.alloc(fmt.Appendf(nil, "user:%08d", i))
	}
	if got := table.bytes(); got > 1000 {
		t.Errorf("a table of 4 keys uses %d bytes, want at most 1000", got)
	}
}

// A key put and deleted again and again at any size does not make the table
// allocate and give back memory each time.
func TestSlotTableNoThrashing(t *testing.T) {
	for _, n := range []int{0, 3, 4, 7, 8, 255, 256, 511, 512, 1023, 1024, 1535} {
		table := newSlotTable()
		for i := range n {
			table.alloc(fmt.Appendf(nil, "user:%011d", i))
		}
		key := []byte("one more key 16b")
		if got := testing.AllocsPerRun(100, func() {
			slot, _ := table.alloc(key)
			table.free(slot)
		}); got != 0 {
			t.Errorf("beside %d keys: %v allocations a put and delete, want 0", n, got)
		}
	}
}

// Deleting in the order of the slots gives the memory back as it goes.
func TestSlotTableGivesBack(t *testing.T) {
	const n = 100_000
	for _, name := range []string{"ascending", "descending"} {
		t.Run(name, func(t *testing.T) {
			table := newSlotTable()
			for i := range n {
				table.alloc(fmt.Appendf(nil, "user:%011d", i))
			}
			full := table.bytes()
			if perKey := float64(full) / n; perKey > 66 {
				t.Errorf("%.1f bytes a key of 16 bytes, want at most 66", perKey)
			}
			for i := range uint32(n - n/10) {
				slot := i
				if name == "descending" {
					slot = n - 1 - i
				}
				table.free(slot)
			}
			if got := table.bytes(); got > full/8 {
				t.Errorf("with a tenth of the keys left the table uses %d bytes of %d", got, full)
			}
			for i := range n {
				table.alloc(fmt.Appendf(nil, "again:%010d", i))
			}
			if got := table.cap(); got > n+n/10+512 {
				t.Errorf("cap is %d after refilling, want slots used again", got)
			}
		})
	}
}

func TestKeyArenaOutOfChunkNumbers(t *testing.T) {
	var a keyArena
	a.chunks = make([]keyChunk, maxChunks)
	ref := a.add([]byte("key"))
	if ref&refOnHeap == 0 || !bytes.Equal(a.get(ref, 3), []byte("key")) {
		t.Fatalf("ref %x does not give the key back from the heap", ref)
	}
	a.remove(ref, 3)
	if a.size != 0 {
		t.Fatalf("size is %d after removing all", a.size)
	}
}
