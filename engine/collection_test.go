package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

const collectionSeed = 0x1234_5678_9abc_def0

// modelElement is an element of the model: a slice sorted by the definition of
// the order.
type modelElement struct {
	subkey string
	value  [8]byte
}

type collectionModel struct {
	order    Order
	elements []modelElement
}

func (m *collectionModel) compare(a, b modelElement) int {
	if m.order != OrderBytes {
		if c := cmp.Compare(hashSubkey(collectionSeed, []byte(a.subkey)), hashSubkey(collectionSeed, []byte(b.subkey))); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.subkey, b.subkey)
}

func (m *collectionModel) search(subkey []byte) (int, bool) {
	return slices.BinarySearchFunc(m.elements, modelElement{subkey: string(subkey)}, m.compare)
}

func (m *collectionModel) byScore() []modelElement {
	return slices.SortedFunc(slices.Values(m.elements), compareScore)
}

// valueOrder is the value, but that the two in the middle are one.
func (e modelElement) valueOrder() uint64 {
	if n := binary.BigEndian.Uint64(e.value[:]); n != math.MaxInt64 {
		return n
	}
	return 1 << 63
}

// modelValue is one of few values, the two in the middle among them.
func modelValue(n byte) (value [8]byte) {
	binary.BigEndian.PutUint64(value[:], []uint64{0, 1<<56 + 1, math.MaxInt64, 1 << 63, 1<<63 + 1}[n%5])
	return value
}

func compareScore(a, b modelElement) int {
	return cmp.Or(cmp.Compare(a.valueOrder(), b.valueOrder()), cmp.Compare(a.subkey, b.subkey))
}

// put writes the same element to the collection and the model.
func (m *collectionModel) put(t failer, c *Collection, subkey []byte, value [8]byte, seq uint64) {
	t.Helper()
	i, ok := m.search(subkey)
	e, isNew := c.put(subkey, element{loc: inlineLocation(value[:]), seq: seq, size: 8, bits: elementInline})
	if isNew == ok || e.seq != seq {
		t.Fatalf("put(%.60q) says new: %v, the model %v; seq %d, want %d", subkey, isNew, !ok, e.seq, seq)
	}
	if ok {
		m.elements[i].value = value
	} else {
		m.elements = slices.Insert(m.elements, i, modelElement{string(subkey), value})
	}
}

// delete removes the same element from the collection and the model.
func (m *collectionModel) delete(t failer, c *Collection, subkey []byte) {
	t.Helper()
	i, ok := m.search(subkey)
	if got := c.delete(subkey); got != ok {
		t.Fatalf("delete(%.60q) is %v, want %v", subkey, got, ok)
	}
	if ok {
		m.elements = slices.Delete(m.elements, i, i+1)
	}
}

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func wantElement(t failer, what string, got Element, want modelElement) {
	t.Helper()
	value, ok := got.Value()
	if string(got.Subkey) != want.subkey || value != want.value || !ok || got.Size != 8 {
		t.Fatalf("%s is %.60q with %x, want %.60q with %x", what, got.Subkey, value, want.subkey, want.value)
	}
}

// checkWalk walks and compares with want until it ends.
func checkWalk(t failer, what string, want []modelElement, walk func(fn func(e Element) bool)) {
	t.Helper()
	i := 0
	walk(func(e Element) bool {
		if i == len(want) {
			t.Fatalf("%s goes on with %.60q after %d elements", what, e.Subkey, i)
		}
		wantElement(t, fmt.Sprintf("%s, element %d", what, i), e, want[i])
		i++
		return true
	})
	if i != len(want) {
		t.Fatalf("%s ends after %d elements, want %d", what, i, len(want))
	}
	if len(want) > 1 {
		n := 0
		walk(func(Element) bool { n++; return n < len(want)/2+1 })
		if n != len(want)/2+1 {
			t.Fatalf("%s visits %d elements after being told to stop", what, n)
		}
	}
}

// cursorWalk visits what a cursor meets.
func cursorWalk(from Cursor) func(fn func(e Element) bool) {
	return func(fn func(e Element) bool) {
		cursor, e := from, Element{}
		for cursor.Next(&e) && fn(e) {
		}
	}
}

func reversed(s []modelElement) []modelElement {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// check compares all that can be asked of a collection with the model, seen
// from a position and a subkey.
func (m *collectionModel) check(t failer, c *Collection, from []byte) {
	t.Helper()
	if c.Len() != len(m.elements) {
		t.Fatalf("Len is %d, want %d", c.Len(), len(m.elements))
	}
	for i, want := range m.elements {
		wantElement(t, fmt.Sprintf("At(%d)", i), c.At(i), want)
		if rank, ok := c.Rank([]byte(want.subkey)); rank != i || !ok {
			t.Fatalf("Rank(%.60q) is %d, %v, want %d", want.subkey, rank, ok, i)
		}
	}
	i, ok := m.search(from)
	if rank, found := c.Rank(from); rank != i || found != ok || (c.find(from) != nil) != ok {
		t.Fatalf("Rank(%.60q) is %d, %v, want %d, %v", from, rank, found, i, ok)
	}
	upTo := i
	if ok {
		upTo++
	}
	checkWalk(t, "AscendAt 0", m.elements, func(fn func(Element) bool) { c.AscendAt(0, fn) })
	checkWalk(t, "AscendAt", m.elements[i:], func(fn func(Element) bool) { c.AscendAt(i, fn) })
	checkWalk(t, "Down from the last", reversed(m.elements), cursorWalk(c.Down(c.Len()-1)))
	checkWalk(t, "Up", m.elements[i:], cursorWalk(c.Up(i)))
	checkWalk(t, "Down", reversed(m.elements[:upTo]), cursorWalk(c.Down(upTo-1)))
	if m.order != OrderBytes {
		hash := hashSubkey(collectionSeed, from)
		at := slices.IndexFunc(m.elements, func(e modelElement) bool { return hashSubkey(collectionSeed, []byte(e.subkey)) >= hash })
		if at < 0 {
			at = len(m.elements)
		}
		checkWalk(t, "AscendHash", m.elements[at:], func(fn func(Element) bool) {
			c.AscendHash(hash, func(h uint64, e Element) bool {
				if h != hashSubkey(collectionSeed, e.Subkey) {
					t.Fatalf("AscendHash gives hash %x to %.60q", h, e.Subkey)
				}
				return fn(e)
			})
		})
	}
	if m.order == OrderScore {
		m.checkScore(t, c, from)
	}
}

func (m *collectionModel) checkScore(t failer, c *Collection, from []byte) {
	t.Helper()
	byScore := m.byScore()
	for i, want := range byScore {
		wantElement(t, fmt.Sprintf("AtScore(%d)", i), c.AtScore(i), want)
		if rank, ok := c.RankScore(want.value[:], []byte(want.subkey)); rank != i || !ok {
			t.Fatalf("RankScore(%x, %.60q) is %d, %v, want %d", want.value, want.subkey, rank, ok, i)
		}
	}
	value := modelValue(byte(len(from) % 5))
	i, ok := slices.BinarySearchFunc(byScore, modelElement{string(from), value}, compareScore)
	upTo := i
	if ok {
		upTo++
	}
	if rank, found := c.RankScore(value[:], from); rank != i || found != ok {
		t.Fatalf("RankScore(%x, %.60q) is %d, %v, want %d, %v", value, from, rank, found, i, ok)
	}
	checkWalk(t, "UpScore", byScore[i:], cursorWalk(c.UpScore(i)))
	checkWalk(t, "DownScore", reversed(byScore[:upTo]), cursorWalk(c.DownScore(upTo-1)))
	checkWalk(t, "AscendScoreAt 0", byScore, func(fn func(Element) bool) { c.AscendScoreAt(0, fn) })
	checkWalk(t, "AscendScoreAt", byScore[i:], func(fn func(Element) bool) { c.AscendScoreAt(i, fn) })
	checkWalk(t, "DownScore from the last", reversed(byScore), cursorWalk(c.DownScore(c.Len()-1)))
}

// checkTree checks what countedTree says of its nodes, and its memory count.
func checkTree(t failer, tree *countedTree) {
	t.Helper()
	var heap int64
	var walk func(node unsafe.Pointer, height int, low, high uint64) (count int)
	walk = func(node unsafe.Pointer, height int, low, high uint64) (count int) {
		if height == 0 {
			l := (*treeLeaf)(node)
			keys := l.keys()
			if l.n == 0 || l.n > l.room || l.room > treeLeafMax || !slices.IsSorted(keys) || keys[0] < low || keys[l.n-1] > high {
				t.Fatalf("a leaf has %d keys, room for %d, its parent says %x to %x: %x", l.n, l.room, low, high, keys)
			}
			heap += leafBytes(l.room)
			return int(l.n)
		}
		n := (*treeInner)(node)
		if n.n == 0 || n.n > treeInnerMax || !slices.IsSorted(n.bounds[:n.n]) {
			t.Fatalf("a node has %d kids: %x", n.n, n.bounds)
		}
		heap += treeInnerBytes
		for i, kid := range n.kids[:n.n] {
			low, end := n.boundsOf(i, high)
			under := walk(kid, height-1, low, end)
			if int(n.counts[i]) != under {
				t.Fatalf("a node counts %d elements under a kid, want %d", n.counts[i], under)
			}
			count += under
		}
		return count
	}
	count := 0
	if tree.root != nil {
		count = walk(tree.root, tree.depth, 0, ^uint64(0))
	}
	if heap != tree.heap || count != tree.size {
		t.Fatalf("the tree counts %d bytes and %d elements, its nodes have %d and %d", tree.heap, tree.size, heap, count)
	}
}

// checkCells checks what elementTable says of its chunks.
func checkCells(t failer, table *elementTable, elements int) {
	t.Helper()
	var size int64
	used, given := 0, 0
	for i := range table.chunks {
		c := &table.chunks[i]
		if table.bases[i] == nil {
			given++
			continue
		}
		size += int64(c.words) * 8
		used += int(c.used)
		free := 0
		for word := c.free; word != 0; free++ {
			word = *(*uint16)(table.word(uint32(i), uint32(word)-1))
		}
		if int(c.used)+free != int(c.fresh/c.cell) || c.fresh > c.words {
			t.Fatalf("a chunk of %d words has %d cells in use and %d free, of %d", c.words, c.used, free, c.fresh/c.cell)
		}
		l := &table.links[i]
		if room := l.next != 0 || l.prev != 0 || table.classes[c.class()].room == uint32(i)+1; room == c.full() {
			t.Fatalf("a chunk is full: %v, and in the list of those with room: %v", c.full(), room)
		}
	}
	long := 0
	for _, key := range table.long {
		size += int64(len(key))
		if key != nil {
			long++
		}
	}
	if size != table.size || used != elements || long+len(table.freeLong) != len(table.long) {
		t.Fatalf("the table counts %d bytes, has %d; %d cells in use for %d elements; %d long subkeys", table.size, size, used, elements, long)
	}
}

func orders(t *testing.T, fn func(t *testing.T, order Order)) {
	t.Helper()
	for order, name := range []string{"OrderHash", "OrderBytes", "OrderScore"} {
		t.Run(name, func(t *testing.T) { fn(t, Order(order)) })
	}
}

func TestCollectionProperty(t *testing.T) {
	orders(t, func(t *testing.T, order Order) {
		t.Helper()
		rapid.Check(t, func(rt *rapid.T) {
			c := newCollection(CollectionID(4|uint64(order)), collectionSeed)
			m := &collectionModel{order: order}
			// Few subkeys, among them long common prefixes and equal first 8 bytes.
			subkey := rapid.Custom(func(t *rapid.T) []byte {
				prefix := rapid.SampledFrom([]string{"", "\x00", "\xff", "prefix of 17 byte", string(make([]byte, 9)), strings.Repeat("long", maxCellKey/4)}).Draw(t, "prefix")
				return append([]byte(prefix), rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 4).Draw(t, "rest")...)
			})
			for seq := range rapid.IntRange(1, 150).Draw(rt, "steps") {
				key := subkey.Draw(rt, "subkey")
				if rapid.IntRange(0, 2).Draw(rt, "what") == 0 {
					m.delete(rt, c, key)
				} else {
					m.put(rt, c, key, modelValue(rapid.Byte().Draw(rt, "score")), uint64(seq)+1)
				}
			}
			m.check(rt, c, subkey.Draw(rt, "from"))
			checkTree(rt, &c.main)
			checkTree(rt, &c.score)
			checkCells(rt, &c.elems, c.Len())
		})
	})
}

// A tree of three levels, filled and emptied in several ways.
func TestCollectionLarge(t *testing.T) {
	const n = 3000
	ways := []struct {
		name string
		less func(rnd *rand.Rand, n int) []int
	}{
		{"random", func(rnd *rand.Rand, n int) []int { return rnd.Perm(n) }},
		{"ascending", func(_ *rand.Rand, n int) []int { return slices.Collect(rangeOf(n, false)) }},
		{"descending", func(_ *rand.Rand, n int) []int { return slices.Collect(rangeOf(n, true)) }},
	}
	orders(t, func(t *testing.T, order Order) {
		t.Helper()
		for _, fill := range ways {
			for _, empty := range ways {
				t.Run(fill.name+" "+empty.name, func(t *testing.T) {
					rnd := rand.New(rand.NewPCG(1, 2))
					c := newCollection(CollectionID(4|uint64(order)), collectionSeed)
					m := &collectionModel{order: order}
					key := func(i int) []byte { return fmt.Appendf(nil, "element:%07d", i) }
					for _, i := range fill.less(rnd, n) {
						m.put(t, c, key(i), [8]byte{byte(i >> 9)}, uint64(i)+1)
					}
					m.check(t, c, key(n/3))
					full := c.bytes()
					for done, i := range empty.less(rnd, n) {
						m.delete(t, c, key(i))
						if done%500 == 0 {
							checkTree(t, &c.main)
							checkTree(t, &c.score)
							checkCells(t, &c.elems, c.Len())
						}
						if done == n*19/20 {
							m.check(t, c, key(n/3))
							// Where neighbours go together, pages of elements go at once.
							random := fill.name == "random" || empty.name == "random"
							if got := c.bytes(); got > full/4 && !random {
								t.Errorf("with a twentieth of the elements left, %d bytes of %d are used", got, full)
							}
						}
					}
					if got := c.bytes(); got > 1000 {
						t.Errorf("an emptied collection uses %d bytes", got)
					}
				})
			}
		}
	})
}

func rangeOf(n int, down bool) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if down {
				i = n - 1 - i
			}
			if !yield(i) {
				return
			}
		}
	}
}

// Elements stay where they are while others come and go.
func TestCollectionPointersStay(t *testing.T) {
	c := newCollection(4, collectionSeed)
	kept := map[string]*element{}
	for i := range 2000 {
		key := fmt.Sprint(i)
		e, _ := c.put([]byte(key), element{seq: uint64(i) + 1})
		if i%3 == 0 {
			kept[key] = e
		}
	}
	for i := range 2000 {
		if i%3 != 0 {
			c.delete([]byte(fmt.Sprint(i)))
		}
	}
	for key, e := range kept {
		if got := c.find([]byte(key)); got != e {
			t.Fatalf("the element %s moved from %p to %p", key, e, got)
		}
	}
}

func TestCollectionReadersTogether(t *testing.T) {
	c := newCollection(CollectionID(4|OrderScore), collectionSeed)
	for i := range 1000 {
		c.put(fmt.Append(nil, i), element{loc: location(i % 7), size: 8, bits: elementInline})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				if c.find(fmt.Append(nil, i)) == nil || len(c.At(i).Subkey) == 0 || len(c.AtScore(i).Subkey) == 0 {
					t.Errorf("element %d is gone", i)
				}
			}
			c.AscendAt(0, func(Element) bool { return true })
		})
	}
	wg.Wait()
}

func BenchmarkCollection(b *testing.B) {
	const n = 1_000_000
	for order, name := range []string{"Hash", "Bytes", "Score"} {
		rnd := rand.New(rand.NewPCG(1, 2))
		c := newCollection(CollectionID(4|order), collectionSeed)
		keys := make([][]byte, n)
		for i := range keys {
			keys[i] = fmt.Appendf(nil, "element:%08d", rnd.IntN(1e8))
		}
		b.Run(name+"/put", func(b *testing.B) {
			for i := range b.N {
				if i%n == 0 {
					c = newCollection(CollectionID(4|order), collectionSeed)
				}
				c.put(keys[i%n], element{loc: location(uint32(i) * 2654435761), size: 8, bits: elementInline})
			}
			b.ReportMetric(float64(c.bytes())/float64(c.Len()), "B/element")
		})
		b.Run(name+"/find", func(b *testing.B) {
			for i := range b.N {
				c.find(keys[i%n])
			}
		})
		b.Run(name+"/rank", func(b *testing.B) {
			for i := range b.N {
				c.Rank(keys[i%n])
			}
		})
		b.Run(name+"/at", func(b *testing.B) {
			for range b.N {
				c.At(rnd.IntN(c.Len()))
			}
		})
	}
}

// Cursors that clients hold are hashes: the function is part of the format.
func TestHashSubkeyIsFixed(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 10)
	want := map[int]uint64{
		0: 0x31416b84b0d6ea2f, 1: 0xc80177c19c403c9e, 3: 0xd828a8da8cb491dd,
		4: 0xbd2b7b0a02f49002, 7: 0xb618f1d09a0f34f7, 8: 0xfa9a06a963fe24a6,
		15: 0x5dd0d1db1d8d819b, 16: 0x6e0f286b5b466618, 17: 0x6369755f5a7397f8,
		32: 0x5a58c906dff2258, 33: 0xf9fe40ca598a0702, 100: 0x968b3f811b302a78,
	}
	for n, hash := range want {
		if got := hashSubkey(collectionSeed, long[:n]); got != hash {
			t.Errorf("the hash of %d bytes is %#x, want %#x", n, got, hash)
		}
	}
}

// No two of many similar subkeys collide, and every bit is set about half the
// time, in the hash and in its change when one bit of the subkey changes.
func TestHashSubkeySpreads(t *testing.T) {
	const n = 100_000
	seen := make(map[uint64]bool, n)
	var set, flipped [64]int
	for i := range n {
		key := fmt.Appendf(nil, "%0*d", 1+i%40, i)
		h := hashSubkey(collectionSeed, key)
		seen[h] = true
		key[i%len(key)] ^= 1 << (i % 8)
		change := h ^ hashSubkey(collectionSeed, key)
		for bit := range 64 {
			set[bit] += int(h >> bit & 1)
			flipped[bit] += int(change >> bit & 1)
		}
	}
	distinct := map[string]bool{}
	for i := range n {
		distinct[fmt.Sprintf("%0*d", 1+i%40, i)] = true
	}
	if len(seen) != len(distinct) {
		t.Errorf("%d subkeys have %d hashes", len(distinct), len(seen))
	}
	for bit := range 64 {
		if set[bit] < n*48/100 || set[bit] > n*52/100 || flipped[bit] < n*48/100 || flipped[bit] > n*52/100 {
			t.Errorf("bit %d is set in %d of %d hashes and changes in %d", bit, set[bit], n, flipped[bit])
		}
	}
}
