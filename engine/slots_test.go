package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// slotModel is what should be in a slot.
type slotModel struct {
	key string
	e   entry
}

// checkSlots compares a slot table with what should be in it.
func checkSlots(t *testing.T, table *slotTable, want map[uint32]slotModel) {
	t.Helper()
	if table.len() != len(want) {
		t.Fatalf("len is %d, want %d", table.len(), len(want))
	}
	met := 0
	last := -1
	for slot := range table.all {
		if int(slot) <= last {
			t.Fatalf("slot %d comes after %d", slot, last)
		}
		last = int(slot)
		met++
		w, ok := want[slot]
		if !ok || !table.used(slot) {
			t.Fatalf("slot %d is in use, want %v; used says %v", slot, ok, table.used(slot))
		}
		if got := table.key(slot); string(got) != w.key || len(got) != cap(got) {
			t.Fatalf("key(%d) is %.40q, want %.40q", slot, got, w.key)
		}
		if got := table.at(slot); got != w.e {
			t.Fatalf("the entry of slot %d is %+v, want %+v", slot, got, w.e)
		}
	}
	if met != len(want) {
		t.Fatalf("a walk meets %d slots, want %d", met, len(want))
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
		n = rnd.IntN(maxSlotKey + 1)
	case 1:
		n = maxSlotKey - 1 + rnd.IntN(4)
	}
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(rnd.Uint32())
	}
	return key
}

// randomEntry returns an entry of any combination of fields, each now and then at
// the ends of what it may be.
func randomEntry(rnd *rand.Rand, keyLen int) entry {
	pick := func(bits int) uint64 {
		switch rnd.IntN(4) {
		case 0:
			return 0
		case 1:
			return 1<<bits - 1
		}
		return rnd.Uint64() & (1<<bits - 1)
	}
	return entry{
		loc: location(pick(64)), seq: pick(64), expireMs: int64(pick(63)), size: uint32(pick(32)),
		clock: uint32(pick(clockBits)), coll: uint32(pick(32)), recFile: uint16(pick(16)),
		tag: uint8(pick(8)), flags: uint8(pick(8)) & entryFlags, keyLen: uint32(keyLen),
	}
}

// Slots are given out, written and freed at random; every entry and every key is
// what was put there, and slots do not move.
func TestSlotTableRandom(t *testing.T) {
	const seed = 4711
	rnd := rand.New(rand.NewPCG(seed, 1))
	table := newSlotTable()
	want := map[uint32]slotModel{}
	cells := map[uint32]*cell{}
	for round := range 6 {
		grow := round%2 == 0
		for range 4000 {
			if rnd.IntN(10) < 7 == grow {
				key := randomKey(rnd)
				slot := table.alloc(key, rnd.IntN(2) == 0)
				if _, ok := want[slot]; ok || slot >= 1<<31 {
					t.Fatalf("seed %d: slot %d given out twice", seed, slot)
				}
				if e := table.at(slot); e != (entry{keyLen: uint32(len(key))}) {
					t.Fatalf("seed %d: a new entry is not zeroed: %+v", seed, e)
				}
				e := randomEntry(rnd, len(key))
				table.set(slot, &e)
				want[slot], cells[slot] = slotModel{string(key), e}, table.cell(slot)
				continue
			}
			for slot, w := range want {
				if rnd.IntN(3) == 0 {
					w.e = randomEntry(rnd, len(w.key))
					table.set(slot, &w.e)
					want[slot] = w
					break
				}
				table.free(slot)
				delete(want, slot)
				break
			}
		}
		checkSlots(t, table, want)
		for slot := range want {
			if table.cell(slot) != cells[slot] {
				t.Fatalf("seed %d: the entry of slot %d moved", seed, slot)
			}
		}
	}
	for slot := range want {
		table.free(slot)
		delete(want, slot)
	}
	checkSlots(t, table, want)
	if got := table.freed(); got < 0 || got > table.bytes() {
		t.Errorf("seed %d: of an emptied table of %d bytes %d are holes", seed, table.bytes(), got)
	}
	if got := table.bytes(); got > emptyTableBytes {
		t.Errorf("seed %d: an emptied table uses %d bytes, want at most %d", seed, got, emptyTableBytes)
	}
}

// What a commit and a merge change in a cell in place is what at then says.
func TestCellInPlace(t *testing.T) {
	table := newSlotTable()
	slot := table.alloc([]byte("key"), true)
	is := entry{loc: 1 << 40, seq: provisionalSeq | 7, expireMs: 5, size: 9, clock: 1, recFile: 3, tag: 0xff, flags: flagPutExpire, keyLen: 3}
	table.set(slot, &is)
	c := table.cell(slot)
	c.setClock(1<<32 - 2)
	c.setLoc(1<<63 | 6)
	c.setRecFile(1<<16 - 1)
	is.clock, is.loc, is.recFile = 1<<24-2, 1<<63|6, 1<<16-1
	if got := table.at(slot); got != is {
		t.Errorf("the entry is %+v, want %+v", got, is)
	}
	if c.clock() != is.clock || c.loc() != is.loc || c.recFile() != is.recFile || c.seq() != is.seq {
		t.Errorf("the cell says %x %x %x %x", c.clock(), c.loc(), c.recFile(), c.seq())
	}
}

func TestSlotTableSmall(t *testing.T) {
	table := newSlotTable()
	if got := table.bytes(); got > 300 {
		t.Errorf("an empty table uses %d bytes, want at most 300", got)
	}
	for i := range 4 {
		table.alloc(fmt.Appendf(nil, "user:%08d", i), false)
	}
	if got := table.bytes(); got > 1000 {
		t.Errorf("a table of 4 keys uses %d bytes, want at most 1000", got)
	}
}

// A key put and deleted again and again at any size does not make the table
// allocate and give back memory each time.
func TestSlotTableNoThrashing(t *testing.T) {
	for n := range 2000 {
		if n > 100 && n%97 != 0 {
			continue
		}
		table := newSlotTable()
		for i := range n {
			table.alloc(fmt.Appendf(nil, "user:%011d", i), false)
		}
		key := []byte("one more key 16b")
		if got := testing.AllocsPerRun(100, func() { table.free(table.alloc(key, false)) }); got != 0 {
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
				table.alloc(fmt.Appendf(nil, "user:%011d", i), false)
			}
			full := table.bytes()
			if perKey := float64(full) / n; perKey > 46 {
				t.Errorf("%.1f bytes a key of 16 bytes, want at most 46", perKey)
			}
			var slots []uint32
			for slot := range table.all {
				slots = append(slots, slot)
			}
			for i := range n - n/10 {
				if name == "ascending" {
					table.free(slots[i])
				} else {
					table.free(slots[n-1-i])
				}
			}
			if got := table.bytes(); got > full/8 {
				t.Errorf("with a tenth of the keys left the table uses %d bytes of %d", got, full)
			}
			for i := range n {
				table.alloc(fmt.Appendf(nil, "again:%010d", i), false)
			}
			if got := int(table.cap()); got > 2*n {
				t.Errorf("cap is %d after refilling, want slots used again", got)
			}
		})
	}
}

// A random slot is every slot with the same chance, whatever the sizes of the keys
// and however large the table was before.
func TestSlotTableRandomPick(t *testing.T) {
	const seed, keys, picks = 99, 50, 100_000
	rnd := rand.New(rand.NewPCG(seed, 3))
	table := newSlotTable()
	var slots []uint32
	for range 50_000 {
		slots = append(slots, table.alloc(randomKey(rnd), false))
	}
	rnd.Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
	for _, slot := range slots[keys:] {
		table.free(slot)
	}
	drawn := 0
	counts := map[uint32]int{}
	for range picks {
		counts[table.random(func(n uint32) uint32 { drawn++; return rnd.Uint32N(n) })]++
	}
	// The sum of squares of the deviations is 49 on average; above 110 once in a
	// million seeds.
	sum := 0.0
	for _, slot := range slots[:keys] {
		d := float64(counts[slot]) - picks/keys
		sum += d * d / (picks / keys)
		delete(counts, slot)
	}
	if sum > 110 || len(counts) > 0 {
		t.Errorf("seed %d: chi square is %.0f, slots not in use %v", seed, sum, counts)
	}
	// A pick tries again until it hits: in a table that was a thousand times larger, and
	// whose keys are all alone in their chunks, so often at the most.
	if tries := drawn / picks; tries > 2*arenaPlaces {
		t.Errorf("seed %d: %d random numbers a pick", seed, tries)
	}
}

func TestSlotMap(t *testing.T) {
	const seed = 12
	rnd := rand.New(rand.NewPCG(seed, 1))
	var m slotMap
	want := map[uint32]int64{}
	for step := range 60_000 {
		slot := rnd.Uint32N(64)<<arenaPlaceBits | rnd.Uint32N(32)
		switch {
		case rnd.IntN(3) > 0 == (step/10_000%2 == 0):
			value := int64(rnd.Uint64())
			m.put(slot, value)
			want[slot] = value
		default:
			m.delete(slot)
			delete(want, slot)
		}
		if got := m.get(slot); got != want[slot] || m.count != len(want) {
			t.Fatalf("seed %d, step %d: get(%d) is %d of %d, want %d of %d", seed, step, slot, got, m.count, want[slot], len(want))
		}
	}
	full := m.bytes()
	for slot, value := range want {
		if got := m.get(slot); got != value {
			t.Fatalf("seed %d: get(%d) is %d, want %d", seed, slot, got, value)
		}
	}
	for slot := range want {
		m.delete(slot)
		if len(want)/8 > m.count && m.bytes() > full/2 {
			t.Fatalf("seed %d: with %d left of %d it uses %d bytes of %d", seed, m.count, len(want), m.bytes(), full)
		}
	}
	if m.bytes() != 0 {
		t.Errorf("seed %d: emptied, it uses %d bytes", seed, m.bytes())
	}
}
