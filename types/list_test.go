package types

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bitkv/engine"
)

// elementsOf returns the elements of a list, or of a part of it.
func elementsOf(tb testing.TB, e *Elements) []string {
	tb.Helper()
	list := []string{}
	err := e.Each(func(v *Item) error {
		value, err := v.AppendTo(nil)
		list = append(list, string(value))
		return err
	})
	if err != nil || len(list) != e.Len() {
		tb.Fatalf("%d elements of %d, %v", len(list), e.Len(), err)
	}
	return list
}

// listOf returns what LRANGE 0 -1 would.
func listOf(tb testing.TB, tx *Tx, key string) []string {
	tb.Helper()
	e, err := tx.List().Find([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return elementsOf(tb, &e)
}

// listValues returns copies of strings.
func listValues(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

// listMachine is a few lists and what they should be.
type listMachine struct {
	s     *testStore
	model map[string][]string
}

var listKeys = []string{"k0", "k1"}

func (m *listMachine) key(t *rapid.T) string { return rapid.SampledFrom(listKeys).Draw(t, "key") }

func (m *listMachine) side(t *rapid.T) Side {
	return rapid.SampledFrom([]Side{Left, Right}).Draw(t, "side")
}

func (m *listMachine) value(t *rapid.T) string {
	if rapid.IntRange(0, 19).Draw(t, "long") == 0 {
		return strings.Repeat("v", rapid.SampledFrom([]int{0, 127, 128, 1000, 4096, 5000}).Draw(t, "len"))
	}
	return strconv.Itoa(rapid.IntRange(0, 12).Draw(t, "value"))
}

// index is one in a list of n or a little beside it.
func (m *listMachine) index(t *rapid.T, n int) int64 {
	if rapid.IntRange(0, 19).Draw(t, "extreme") == 0 {
		return rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}).Draw(t, "index")
	}
	return int64(rapid.IntRange(-n-2, n+2).Draw(t, "index"))
}

func (m *listMachine) Push(t *rapid.T) {
	key, side, mustExist := m.key(t), m.side(t), rapid.Bool().Draw(t, "mustExist")
	var values []string
	for range rapid.SampledFrom([]int{1, 1, 2, 5, 60}).Draw(t, "n") {
		values = append(values, m.value(t))
	}
	want := m.model[key]
	if len(want) > 0 || !mustExist {
		for _, v := range values {
			if side == Left {
				want = slices.Insert(want, 0, v)
			} else {
				want = append(want, v)
			}
		}
	}
	m.model[key] = want
	m.s.update(0, func(tx *Tx) {
		if n, err := tx.List().Push([]byte(key), side, listValues(values), mustExist); err != nil || n != int64(len(want)) {
			t.Fatalf("Push: %d, %v; want %d", n, err, len(want))
		}
	})
}

// popped takes n elements off a side of the model.
func (m *listMachine) popped(key string, side Side, n int) []string {
	list := m.model[key]
	n = min(n, len(list))
	taken := []string{}
	for range n {
		at := 0
		if side == Right {
			at = len(list) - 1
		}
		taken = append(taken, list[at])
		list = slices.Delete(list, at, at+1)
	}
	m.model[key] = list
	return taken
}

func (m *listMachine) Pop(t *rapid.T) {
	key, side := m.key(t), m.side(t)
	n := rapid.SampledFrom([]int{0, 1, 1, 2, 70, math.MaxInt64}).Draw(t, "n")
	existed := len(m.model[key]) > 0
	want := m.popped(key, side, n)
	m.s.update(0, func(tx *Tx) {
		taken, err := tx.List().Take([]byte(key), side, int64(n))
		if err != nil || taken.Found() != existed || taken.Len() != len(want) {
			t.Fatalf("Take: %d, %v", taken.Len(), err)
		}
		got := []string{}
		err = taken.Each(func(v *Item) error {
			value, err := v.AppendTo(nil)
			got = append(got, string(value))
			return err
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Take: %q, %v; want %q", got, err, want)
		}
		if err := taken.Remove(); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *listMachine) Set(t *rapid.T) {
	key, value := m.key(t), m.value(t)
	list := m.model[key]
	index, want := m.index(t, len(list)), error(nil)
	at := index
	if at < 0 {
		at += int64(len(list))
	}
	switch {
	case len(list) == 0:
		want = ErrNoKey
	case at < 0 || at >= int64(len(list)):
		want = ErrIndex
	default:
		list[at] = value
	}
	m.s.update(0, func(tx *Tx) {
		if err := tx.List().Set([]byte(key), index, []byte(value)); !errors.Is(err, want) {
			t.Fatalf("Set %d: %v, want %v", index, err, want)
		}
	})
}

// Insert inserts several values at the same place, for gaps to be used up.
func (m *listMachine) Insert(t *rapid.T) {
	key, after, pivot := m.key(t), rapid.Bool().Draw(t, "after"), m.value(t)
	for range rapid.SampledFrom([]int{1, 1, 40}).Draw(t, "n") {
		value := m.value(t)
		want, at := int64(-1), slices.Index(m.model[key], pivot)
		switch {
		case len(m.model[key]) == 0:
			want = 0
		case at >= 0:
			if after {
				at++
			}
			m.model[key] = slices.Insert(m.model[key], at, value)
			want = int64(len(m.model[key]))
		}
		m.s.update(0, func(tx *Tx) {
			n, err := tx.List().Insert([]byte(key), after, []byte(pivot), []byte(value))
			if err != nil || n != want {
				t.Fatalf("Insert: %d, %v; want %d", n, err, want)
			}
		})
	}
}

func (m *listMachine) Rem(t *rapid.T) {
	key, value := m.key(t), m.value(t)
	count := rapid.SampledFrom([]int64{0, 1, 2, 10, -1, -2, -10, math.MaxInt64, math.MinInt64}).Draw(t, "count")
	list, want := m.model[key], int64(0)
	for count == 0 || want < count || want < -count || count == math.MinInt64 {
		at := slices.Index(list, value)
		if count < 0 {
			reversed := slices.Clone(list)
			slices.Reverse(reversed)
			if at = slices.Index(reversed, value); at >= 0 {
				at = len(list) - 1 - at
			}
		}
		if at < 0 {
			break
		}
		list = slices.Delete(list, at, at+1)
		want++
	}
	m.model[key] = list
	m.s.update(0, func(tx *Tx) {
		if n, err := tx.List().Rem([]byte(key), count, []byte(value)); err != nil || n != want {
			t.Fatalf("Rem %d: %d, %v; want %d", count, n, err, want)
		}
	})
}

func (m *listMachine) Trim(t *rapid.T) {
	key := m.key(t)
	list := m.model[key]
	start, stop := m.index(t, len(list)), m.index(t, len(list))
	from, n := sliceBounds(start, stop, len(list))
	m.model[key] = slices.Clone(list[from : from+n])
	m.s.update(0, func(tx *Tx) {
		if err := tx.List().Trim([]byte(key), start, stop); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *listMachine) Move(t *rapid.T) {
	src, dst, from, to := m.key(t), m.key(t), m.side(t), m.side(t)
	want := m.popped(src, from, 1)
	if len(want) > 0 {
		at := 0
		if to == Right {
			at = len(m.model[dst])
		}
		m.model[dst] = slices.Insert(m.model[dst], at, want[0])
	}
	m.s.update(0, func(tx *Tx) {
		value, ok, err := tx.List().Move([]byte(src), []byte(dst), from, to)
		if err != nil || ok != (len(want) > 0) || ok && string(value) != want[0] {
			t.Fatalf("Move: %q, %v, %v; want %q", value, ok, err, want)
		}
	})
}

func (m *listMachine) Copy(t *rapid.T) {
	from := m.key(t)
	to := listKeys[1-slices.Index(listKeys, from)]
	if len(m.model[from]) == 0 {
		return
	}
	m.model[to] = slices.Clone(m.model[from])
	m.s.update(0, func(tx *Tx) {
		if done, err := tx.Keyspace().Copy([]byte(from), []byte(to), 0, true); !done || err != nil {
			t.Fatal(done, err)
		}
	})
}

// RolledBack changes a list in a transaction that does not commit.
func (m *listMachine) RolledBack(t *rapid.T) {
	key := []byte(m.key(t))
	var set ShardSet
	m.s.AddAll(&set)
	tx := m.s.Begin(&set, true, 0)
	defer tx.Rollback()
	values := slices.Repeat([][]byte{[]byte("rolled back")}, rapid.SampledFrom([]int{1, 130}).Draw(t, "n"))
	for _, side := range []Side{Left, Right} {
		if _, err := tx.List().Push(key, side, values, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.List().Trim(key, 1, 5); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.List().Move(key, key, Left, Right); err != nil {
		t.Fatal(err)
	}
}

func (m *listMachine) Reopen(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
		m.s.reopen()
	}
}

// Check compares everything, and a few questions about it.
func (m *listMachine) Check(t *rapid.T) {
	m.s.view(0, func(tx *Tx) {
		for _, key := range listKeys {
			want := m.model[key]
			if got := listOf(m.s.tb, tx, key); !slices.Equal(got, want) {
				t.Fatalf("%s is %.300q, want %.300q", key, got, want)
			}
			if _, exists := tx.find(0, []byte(key)); exists != (len(want) > 0) {
				t.Fatalf("%s exists: %v", key, exists)
			}
			e, err := tx.List().Find([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			from, n := sliceBounds(3, -4, len(want))
			part := e.Slice(3, -4)
			if got := elementsOf(m.s.tb, &part); !slices.Equal(got, want[from:from+n]) {
				t.Fatalf("Slice(3, -4) of %s is %.300q", key, got)
			}
			if v, ok := e.At(-1); ok != (len(want) > 0) || ok && v.Len() != len(want[len(want)-1]) {
				t.Fatalf("At(-1) of %s: %v", key, ok)
			}
			m.checkPos(t, &e, want)
		}
	})
}

// checkPos compares LPOS for the last two of a value's places, from the right.
func (m *listMachine) checkPos(t *rapid.T, e *Elements, list []string) {
	const value = "7"
	var want, got []int
	for i := len(list) - 1; i >= 0 && len(want) < 3; i-- {
		if list[i] == value {
			want = append(want, i)
		}
	}
	if err := e.Pos([]byte(value), PosOptions{Rank: -1, Count: 3}, func(i int) { got = append(got, i) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Pos: %v, want %v", got, want)
	}
}

func TestListModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &listMachine{s: openTest(t, Options{}), model: map[string][]string{}}
		rt.Repeat(map[string]func(*rapid.T){
			"Push": m.Push, "Pop": m.Pop, "Set": m.Set, "Insert": m.Insert, "Rem": m.Rem, "Trim": m.Trim,
			"Move": m.Move, "Copy": m.Copy, "RolledBack": m.RolledBack, "Reopen": m.Reopen, "": m.Check,
		})
	})
}

// bigList makes a large list l of the numbers below n.
func bigList(tb testing.TB, s *testStore, n int) {
	tb.Helper()
	s.update(0, func(tx *Tx) {
		for i := range n {
			if _, err := tx.List().Push([]byte("l"), Right, [][]byte{strconv.AppendInt(nil, int64(i), 10)}, false); err != nil {
				tb.Fatal(err)
			}
		}
	})
}

// TestListInsertCost: wherever insertions come, few elements are moved by each.
func TestListInsertCost(t *testing.T) {
	const size, inserts = 500, 3000
	rnd := rand.New(rand.NewPCG(1, 0))
	places := map[string]func(i int) int{
		"one place":     func(int) int { return 250 },
		"behind itself": func(i int) int { return 250 + i },
		"both sides":    func(i int) int { return 250 + i/2 },
		"near the left": func(int) int { return 1 },
		"any place":     func(i int) int { return 1 + rnd.IntN(size+i-1) },
	}
	for name, place := range places {
		s := openTest(t, Options{})
		bigList(t, s, size)
		var want []string
		s.view(0, func(tx *Tx) { want = listOf(t, tx, "l") })
		before := s.Engine().Stats().EndSeq
		s.update(0, func(tx *Tx) {
			c, err := tx.openWrite([]byte("l"), tagList)
			if err != nil {
				t.Fatal(err)
			}
			for i := range inserts {
				at, value := place(i), fmt.Sprintf("new%d", i)
				if err := c.insert(at, []byte(value)); err != nil {
					t.Fatal(err)
				}
				want = slices.Insert(want, at, value)
			}
			if err := c.finish(inserts, "linsert"); err != nil {
				t.Fatal(err)
			}
		})
		s.view(0, func(tx *Tx) {
			if got := listOf(t, tx, "l"); !slices.Equal(got, want) {
				t.Errorf("%s: the order is wrong", name)
			}
		})
		// A moved element is a tombstone and a record.
		if moved := float64(s.Engine().Stats().EndSeq-before-inserts) / inserts / 2; moved > 12 {
			t.Errorf("%s: %.1f elements were moved by an insertion", name, moved)
		}
	}
}

// TestListEndOfPositions: a list that has come to an end of the positions goes on.
func TestListEndOfPositions(t *testing.T) {
	for _, side := range []Side{Left, Right} {
		s := openTest(t, Options{})
		bigList(t, s, 200)
		s.update(0, func(tx *Tx) {
			c, err := tx.openWrite([]byte("l"), tagList)
			if err != nil {
				t.Fatal(err)
			}
			first := uint64(listGap / 2)
			if side == Right {
				first = math.MaxUint64 - 200*listGap
			}
			if err := c.renumber(0, 200, first, listGap); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if err := c.push(side, strconv.AppendInt(nil, int64(i), 10)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.finish(3, side.pushEvent()); err != nil {
				t.Fatal(err)
			}
		})
		s.reopen()
		s.view(0, func(tx *Tx) {
			var want []string
			for i := range 200 {
				want = append(want, strconv.Itoa(i))
			}
			if side == Left {
				want = append([]string{"2", "1", "0"}, want...)
			} else {
				want = append(want, "0", "1", "2")
			}
			if got := listOf(t, tx, "l"); !slices.Equal(got, want) {
				t.Errorf("side %d: %q", side, got)
			}
		})
	}
}

// BenchmarkListPushPop is a queue: LPUSH at one end, RPOP at the other.
func BenchmarkListPushPop(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := openTest(b, Options{Engine: engine.Options{Sync: engine.SyncNever}})
			bigList(b, s, n)
			key, values := []byte("l"), [][]byte{[]byte("value:0001")}
			var set ShardSet
			s.AddKey(&set, key)
			buf := make([]byte, 0, 64)
			commit := func(tx *Tx) {
				seq, err := tx.Commit()
				if err == nil {
					err = s.Engine().Ack(seq)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				tx := s.Begin(&set, true, 0)
				if _, err := tx.List().Push(key, Left, values, false); err != nil {
					b.Fatal(err)
				}
				commit(tx)
				tx = s.Begin(&set, true, 0)
				taken, err := tx.List().Take(key, Right, 1)
				if err != nil || taken.Len() != 1 {
					b.Fatal(taken.Len(), err)
				}
				v := taken.One()
				if buf, err = v.AppendTo(buf[:0]); err != nil {
					b.Fatal(err)
				}
				if err := taken.Remove(); err != nil {
					b.Fatal(err)
				}
				commit(tx)
			}
		})
	}
}

func BenchmarkListRange(b *testing.B) {
	s := openTest(b, Options{Engine: engine.Options{Sync: engine.SyncNever}})
	bigList(b, s, 100_000)
	key := []byte("l")
	var set ShardSet
	s.AddKey(&set, key)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		tx := s.Begin(&set, false, 0)
		e, err := tx.List().Find(key)
		if err != nil {
			b.Fatal(err)
		}
		e = e.Slice(50_000, 50_099)
		err = e.Each(func(v *Item) error {
			buf, err = v.AppendTo(buf[:0])
			return err
		})
		if _, commitErr := tx.Commit(); err != nil || commitErr != nil {
			b.Fatal(err, commitErr)
		}
	}
}
