package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/btree"
	"pgregory.net/rapid"
)

// indexUnderTest is an index with the slots that it refers to, and the model: a
// sorted slice of keys.
type indexUnderTest struct {
	x     index
	table *slotTable
	model []string
	slots map[string]uint32
}

func newIndexUnderTest(t IndexType) *indexUnderTest {
	table := newSlotTable()
	return &indexUnderTest{x: newIndex(t, table), table: table, slots: map[string]uint32{}}
}

// flip puts key if the index does not have it, and deletes it otherwise.
func (u *indexUnderTest) flip(t failer, key []byte) {
	t.Helper()
	i, ok := sort.Find(len(u.model), func(i int) int { return strings.Compare(string(key), u.model[i]) })
	slot, got := u.x.get(key)
	if got != ok || ok && slot != u.slots[string(key)] {
		t.Fatalf("get(%s) is %d, %v, want %d, %v", short(key), slot, got, u.slots[string(key)], ok)
	}
	if !ok {
		if u.x.delete(key) {
			t.Fatalf("delete(%s) of a key that is not there says it was", short(key))
		}
		slot, added := u.x.getOrPut(key, i%2 == 0)
		if other, ok := u.slots[string(key)]; !added || ok {
			t.Fatalf("getOrPut(%s) of a key that is not there gives slot %d of %d, added %v", short(key), slot, other, added)
		}
		if got := u.table.key(slot); !bytes.Equal(got, key) {
			t.Fatalf("the slot of %s has the key %s", short(key), short(got))
		}
		u.slots[string(key)] = slot
		u.model = slices.Insert(u.model, i, string(key))
		if again, added := u.x.getOrPut(key, false); added || again != slot {
			t.Fatalf("getOrPut(%s) once more gives slot %d, want %d, added %v", short(key), again, slot, added)
		}
	} else {
		if !u.x.delete(key) {
			t.Fatalf("delete(%s) says it was not there", short(key))
		}
		u.table.free(slot)
		delete(u.slots, string(key))
		u.model = slices.Delete(u.model, i, i+1)
	}
	if _, got := u.x.get(key); got == ok {
		t.Fatalf("get(%s) after the change says %v", short(key), got)
	}
	if u.x.len() != len(u.model) {
		t.Fatalf("len is %d, want %d", u.x.len(), len(u.model))
	}
}

func short(key []byte) string { return fmt.Sprintf("%.24q of %d bytes", key, len(key)) }

// checkWalks compares the walks from a position with the model.
func (u *indexUnderTest) checkWalks(t failer, from []byte) {
	t.Helper()
	lower, upper := 0, len(u.model)
	if from != nil {
		lower = sort.SearchStrings(u.model, string(from))
		upper = lower
		if lower < len(u.model) && u.model[lower] == string(from) {
			upper++
		}
	}
	u.checkWalk(t, "ascend from "+short(from), u.model[lower:], func(fn func(uint32) bool) { u.x.ascend(from, fn) })
	down := slices.Clone(u.model[:upper])
	slices.Reverse(down)
	u.checkWalk(t, "descend from "+short(from), down, func(fn func(uint32) bool) { u.x.descend(from, fn) })
	var prefixed []string
	for _, key := range u.model {
		if strings.HasPrefix(key, string(from)) {
			prefixed = append(prefixed, key)
		}
	}
	u.checkWalk(t, "ascendPrefix of "+short(from), prefixed, func(fn func(uint32) bool) {
		ascendPrefix(u.x, u.table, from, fn)
	})
}

func (u *indexUnderTest) checkWalk(t failer, what string, want []string, walk func(fn func(uint32) bool)) {
	t.Helper()
	i := 0
	walk(func(slot uint32) bool {
		if i == len(want) || slot != u.slots[want[i]] {
			t.Fatalf("%s: key %d is %s of %d wanted", what, i, short(u.table.key(slot)), len(want))
		}
		i++
		return true
	})
	if i != len(want) {
		t.Fatalf("%s ends after %d keys, want %d", what, i, len(want))
	}
	for stop := 1; stop < len(want); stop *= 3 {
		n := 0
		walk(func(uint32) bool { n++; return n < stop })
		if n != stop {
			t.Fatalf("%s visits %d keys, was told to stop after %d", what, n, stop)
		}
	}
}

func indexes(t *testing.T, fn func(t *testing.T, index IndexType)) {
	t.Helper()
	for _, index := range []IndexType{IndexART, IndexPlar} {
		t.Run(string(index), func(t *testing.T) { fn(t, index) })
	}
}

// awkwardKeys have what indexes go wrong on: the empty key, keys that are the
// beginning of others, the lowest and highest bytes, shared beginnings around
// every limit of a length field.
func awkwardKeys() [][]byte {
	var keys [][]byte
	for _, n := range []int{0, 1, 7, 8, 9, 10, 11, 255, 256, 65_534, 65_535, 65_536, 70_000} {
		for _, fill := range []byte{0, 'x', 0xff} {
			prefix := bytes.Repeat([]byte{fill}, n)
			for _, tail := range []string{"", "\x00", "\x00\x00", "a", "a\x00", "ab", "abc", "b", "\xff", "\xff\xff", "\xfe"} {
				keys = append(keys, append(prefix[:n:n], tail...))
			}
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

func TestIndexAwkwardKeys(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		keys := awkwardKeys()
		for seed := range uint64(4) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			u := newIndexUnderTest(index)
			for range 2 {
				for done, i := range rnd.Perm(len(keys)) {
					u.flip(t, keys[i])
					if done%40 == 0 {
						u.checkWalks(t, nil)
						u.checkWalks(t, keys[rnd.IntN(len(keys))])
					}
				}
			}
			if u.x.len() != 0 {
				t.Fatalf("seed %d: %d keys are left", seed, u.x.len())
			}
		}
	})
}

func TestIndexEmpty(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		u := newIndexUnderTest(index)
		for _, from := range [][]byte{nil, {}, []byte("a")} {
			u.checkWalks(t, from)
		}
		if got := u.x.bytes(); got > 700 {
			t.Errorf("an empty index uses %d bytes", got)
		}
		for range 3 {
			u.flip(t, nil)
			u.checkWalks(t, nil)
			u.checkWalks(t, []byte{})
			u.checkWalks(t, []byte("a"))
		}
	})
}

// A node goes through every number of children, up and down, below a shared
// beginning and with and without a key that ends at the node.
func TestIndexFanOut(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		for _, prefix := range []string{"", "p", "a longer shared beginning"} {
			for _, own := range []bool{false, true} {
				rnd := rand.New(rand.NewPCG(3, uint64(len(prefix))))
				u := newIndexUnderTest(index)
				if own {
					u.flip(t, []byte(prefix))
				}
				for range 2 {
					for _, b := range rnd.Perm(256) {
						// Each child has keys below it, so that it is a node and not a leaf.
						u.flip(t, append([]byte(prefix), byte(b), 'x'))
						if b%3 == 0 {
							u.flip(t, append([]byte(prefix), byte(b), 'x', 'y'))
						}
						if b%8 == 0 {
							u.checkWalks(t, nil)
							u.checkWalks(t, append([]byte(prefix), byte(rnd.IntN(256))))
						}
					}
				}
				if want := len(u.slots); u.x.len() != want || own && want != 1 || !own && want != 0 {
					t.Fatalf("%d keys are left, want only the prefix, if it was put: %v", u.x.len(), own)
				}
			}
		}
	})
}

func TestIndexProperty(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		rapid.Check(t, func(rt *rapid.T) {
			u := newIndexUnderTest(index)
			key := rapid.Custom(func(t *rapid.T) []byte {
				n := rapid.SampledFrom([]int{0, 0, 0, 1, 12, 300, 65_536}).Draw(t, "shared")
				tail := rapid.OneOf(
					rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 5),
					rapid.SliceOfN(rapid.Byte(), 0, 3)).Draw(t, "tail")
				return append(bytes.Repeat([]byte{'a'}, n), tail...)
			})
			for _, k := range rapid.SliceOfN(key, 0, 120).Draw(rt, "keys") {
				u.flip(rt, k)
			}
			u.checkWalks(rt, nil)
			u.checkWalks(rt, key.Draw(rt, "from"))
			for _, k := range slices.Clone(u.model) {
				u.flip(rt, []byte(k))
			}
			u.checkWalks(rt, key.Draw(rt, "from"))
		})
	})
}

// Many keys of the shapes that users have; memory comes back after deletes.
func TestIndexMany(t *testing.T) {
	const n = 20_000
	shapes := map[string]func(rnd *rand.Rand, i int) []byte{
		"decimal": func(_ *rand.Rand, i int) []byte { return fmt.Appendf(nil, "user:%08d", i) },
		"hex":     func(rnd *rand.Rand, i int) []byte { return fmt.Appendf(nil, "%016x%x", rnd.Uint64(), i) },
		"binary": func(rnd *rand.Rand, i int) []byte {
			return binary.BigEndian.AppendUint64(binary.LittleEndian.AppendUint16(nil, uint16(rnd.Uint32())), uint64(i))
		},
	}
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		for name, shape := range shapes {
			t.Run(name, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(5, 6))
				u := newIndexUnderTest(index)
				empty := u.x.bytes()
				keys := make([][]byte, n)
				for i := range keys {
					keys[i] = shape(rnd, i)
					u.slots[string(keys[i])], _ = u.x.getOrPut(keys[i], false)
					u.model = append(u.model, string(keys[i]))
				}
				slices.Sort(u.model)
				u.checkWalks(t, nil)
				u.checkWalks(t, keys[n/2])
				full := u.x.bytes()
				for _, i := range rnd.Perm(n) {
					if slot, ok := u.x.get(keys[i]); !ok || slot != u.slots[string(keys[i])] {
						t.Fatalf("get(%s) is %d, %v", short(keys[i]), slot, ok)
					}
					if !u.x.delete(keys[i]) {
						t.Fatalf("delete(%s) says it was not there", short(keys[i]))
					}
				}
				if got := u.x.bytes(); got != empty || full < 10*empty {
					t.Errorf("bytes is %d, was %d full and %d before", got, full, empty)
				}
			})
		}
	})
}

// Keys may share more bytes than the header of a node can say, and a node with such
// a number may have an own leaf too, grow, lose its parent and be split.
func TestARTLongShared(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 3*artSharedMax)
	key := func(n int, end string) []byte { return append(bytes.Clone(long[:n]), end...) }
	var keys [][]byte
	for _, n := range []int{artSharedMax - 1, artSharedMax, artSharedMax + 1, 2*artSharedMax + 5} {
		keys = append(keys, key(n, ""))
		for _, end := range []string{"a", "b", "c", "d", "e", "y", "z"} {
			keys = append(keys, key(n, end))
		}
	}
	const seed = 3
	rnd := rand.New(rand.NewPCG(seed, 1))
	for round := range 2 {
		u := newIndexUnderTest(IndexART)
		rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		if round == 1 {
			// Without shorter keys, two of the longest share all of it at the root.
			slices.SortStableFunc(keys, func(a, b []byte) int { return len(b) - len(a) })
		}
		for range 2 {
			for i, key := range keys {
				u.flip(t, key)
				if i%10 == 9 {
					u.checkWalks(t, key)
				}
			}
			rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		}
		if u.x.len() != 0 {
			t.Errorf("seed %d: %d keys are left", seed, u.x.len())
		}
	}
}

// Deleting all but a range of keys gives back what the others used.
func TestARTGivesBack(t *testing.T) {
	const n = 100_000
	u := newIndexUnderTest(IndexART)
	key := func(i int) []byte { return fmt.Appendf(nil, "user:%08d", i) }
	for i := range n {
		u.x.getOrPut(key(i), false)
	}
	full := u.x.bytes()
	for i := range n - n/10 {
		u.x.delete(key(i))
	}
	if got := u.x.bytes(); got > full/6 {
		t.Errorf("with a tenth of the keys left %d bytes of %d are used", got, full)
	}
}

func TestIndexReadersTogether(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		const n = 2000
		u := newIndexUnderTest(index)
		for i := range n {
			u.flip(t, fmt.Appendf(nil, "%d", i))
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range n {
					if _, ok := u.x.get(fmt.Appendf(nil, "%d", i)); !ok {
						t.Errorf("key %d is gone", i)
					}
				}
				up, down := 0, 0
				u.x.ascend(nil, func(uint32) bool { up++; return true })
				u.x.descend([]byte("x"), func(uint32) bool { down++; return true })
				if up != n || down != n {
					t.Errorf("ascend met %d keys, descend %d, want %d", up, down, n)
				}
			})
		}
		wg.Wait()
	})
}

// FuzzIndex reads keys, each after its length, and flips each of them in both
// implementations.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("\x00\x01a\x02ab\x02ac\x01a\x03abc\x00"))
	f.Add([]byte("\x05aaaaa\x05aaaab\x04aaaa\x05aaaaa\x06aaaaaa"))
	f.Fuzz(func(t *testing.T, data []byte) {
		under := []*indexUnderTest{newIndexUnderTest(IndexART), newIndexUnderTest(IndexPlar)}
		var last []byte
		data = data[:min(len(data), 4000)]
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			last, data = data[1:1+n], data[1+n:]
			for _, u := range under {
				u.flip(t, last)
			}
		}
		for _, u := range under {
			u.checkWalks(t, nil)
			u.checkWalks(t, last)
			if n := len(last); n > 0 {
				u.checkWalks(t, last[:n-1])
			}
		}
	})
}

// FuzzART spends the same on the tree of this package alone, with keys made long
// by repeating each byte.
func FuzzART(f *testing.F) {
	f.Add([]byte("\x00\x01a\x02ab\x02ac\x01a\x03abc\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, repeat uint8) {
		u := newIndexUnderTest(IndexART)
		var last []byte
		data = data[:min(len(data), 400)] // every step walks over all keys
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			last = nil
			for _, b := range data[1 : 1+n] {
				last = append(last, bytes.Repeat([]byte{b}, int(repeat)+1)...)
			}
			data = data[1+n:]
			u.flip(t, last)
			u.checkWalks(t, last)
		}
		for _, key := range slices.Clone(u.model) {
			u.flip(t, []byte(key))
		}
	})
}

func benchmarkKeys(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, n)
	for i, j := range rnd.Perm(n) {
		keys[i] = fmt.Appendf(nil, "user:%011d", j)
	}
	return keys
}

func heapBytes() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkIndex compares the implementations, with entries and keys in the slot
// table, at a million keys of 16 bytes, which are put and got in random order. Go's
// map and tidwall's B-tree from string to slot are there to compare with.
func BenchmarkIndex(b *testing.B) {
	const n = 1_000_000
	keys := benchmarkKeys(n)
	for _, t := range []IndexType{IndexART, IndexPlar} {
		b.Run(string(t), func(b *testing.B) {
			before := heapBytes()
			u := newIndexUnderTest(t)
			b.Run("put", func(b *testing.B) {
				for i := range b.N {
					if i%n == 0 {
						u = newIndexUnderTest(t)
					}
					u.x.getOrPut(keys[i%n], false)
				}
			})
			b.Run("get", func(b *testing.B) {
				for i := range b.N {
					u.x.get(keys[(i*7919)%n])
				}
				b.ReportMetric(float64(u.x.bytes())/float64(u.x.len()), "B/key")
				b.ReportMetric((heapBytes()-before)/float64(u.x.len()), "all-B/key")
			})
			b.Run("delete", func(b *testing.B) {
				for i := range b.N {
					u.x.delete(keys[i%n])
				}
			})
		})
	}
	b.Run("map", func(b *testing.B) {
		m := map[string]uint32{}
		b.Run("put", func(b *testing.B) {
			for i := range b.N {
				m[string(keys[i%n])] = uint32(i)
			}
		})
		b.Run("get", func(b *testing.B) {
			for i := range b.N {
				_ = m[string(keys[(i*7919)%n])]
			}
		})
	})
	b.Run("btree", func(b *testing.B) {
		var m btree.Map[string, uint32]
		b.Run("put", func(b *testing.B) {
			for i := range b.N {
				m.Set(string(keys[i%n]), uint32(i))
			}
		})
		b.Run("get", func(b *testing.B) {
			for i := range b.N {
				m.Get(string(keys[(i*7919)%n]))
			}
		})
	})
}
