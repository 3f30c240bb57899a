package types

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"bitkv/engine"
)

// membersOf returns what SMEMBERS would.
func membersOf(tb testing.TB, tx *Tx, key string) (list []string) {
	tb.Helper()
	m, err := tx.Set().Find([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	err = m.Each(func(member []byte) error {
		if !m.Has(member) {
			tb.Errorf("%s: Each finds %q, Has does not", key, member)
		}
		list = append(list, string(member))
		return nil
	})
	if err != nil || len(list) != m.Len() {
		tb.Fatalf("%s: Len is %d, but there are %d members, %v", key, m.Len(), len(list), err)
	}
	return list
}

func sliceOfBytes(list []string) (out [][]byte) {
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

func encodingOf(tb testing.TB, tx *Tx, key string) string {
	tb.Helper()
	encoding, _, err := tx.Keyspace().Encoding([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return encoding
}

// modelSet is what a set should be.
type modelSet struct {
	members   map[string]struct{}
	converted bool // OBJECT ENCODING says hashtable
}

// setMachine is a few sets and what they should be.
type setMachine struct {
	s     *testStore
	model map[string]modelSet
}

var setKeys = []string{"k0", "k1", "k2"}

// setMachineInts is the set-max-intset-entries of the model test.
const setMachineInts = 150

func (m *setMachine) key(t *rapid.T) string { return rapid.SampledFrom(setKeys).Draw(t, "key") }

// list is members: integers of all lengths, and, less often, text.
func (m *setMachine) list(t *rapid.T, counts ...int) (list []string) {
	n := rapid.SampledFrom(counts).Draw(t, "n")
	text := rapid.IntRange(0, 3).Draw(t, "text") == 0
	for range n {
		i := rapid.IntRange(-100, 200).Draw(t, "member")
		switch {
		case text && i%3 == 0:
			list = append(list, fmt.Sprintf("member %d", i))
		case i%5 == 0:
			list = append(list, strconv.Itoa(i*100_000_000_000_000_000/2))
		default:
			list = append(list, strconv.Itoa(i))
		}
	}
	return list
}

// add is addMember on the model.
func (s *modelSet) add(member string) (isNew bool) {
	if s.members == nil {
		s.members = map[string]struct{}{}
	}
	if _, ok := s.members[member]; ok {
		return false
	}
	s.members[member] = struct{}{}
	_, err := strconv.ParseInt(member, 10, 64)
	s.converted = s.converted || err != nil || len(s.members) > setMachineInts
	return true
}

// put makes a set what a key should be.
func (m *setMachine) put(key string, s modelSet) {
	if len(s.members) == 0 {
		delete(m.model, key)
		return
	}
	m.model[key] = s
}

func (m *setMachine) Add(t *rapid.T) {
	key, list, want := m.key(t), m.list(t, 1, 1, 3, 100), int64(0)
	s := m.model[key]
	for _, member := range list {
		if s.add(member) {
			want++
		}
	}
	m.put(key, s)
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.Set().Add([]byte(key), sliceOfBytes(list)); err != nil || got != want {
			t.Fatalf("Add: %d, %v; want %d", got, err, want)
		}
	})
}

func (m *setMachine) Rem(t *rapid.T) {
	key, list, want := m.key(t), m.list(t, 1, 5, 200), int64(0)
	s := m.model[key]
	for _, member := range list {
		if _, ok := s.members[member]; ok {
			want++
			delete(s.members, member)
		}
	}
	m.put(key, s)
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.Set().Rem([]byte(key), sliceOfBytes(list)); err != nil || got != want {
			t.Fatalf("Rem: %d, %v; want %d", got, err, want)
		}
	})
}

func (m *setMachine) Pop(t *rapid.T) {
	key := m.key(t)
	s := m.model[key]
	n := rapid.SampledFrom([]int{0, 1, 1, 2, len(s.members) / 2, len(s.members)*3/4 + 1, len(s.members) + 1}).Draw(t, "n")
	want := min(n, len(s.members))
	m.s.update(0, func(tx *Tx) {
		if n == 1 {
			member, ok, err := tx.Set().PopOne([]byte(key))
			if _, was := s.members[string(member)]; err != nil || ok != (want == 1) || ok && !was {
				t.Fatalf("PopOne: %q, %v, %v", member, ok, err)
			}
			delete(s.members, string(member))
			return
		}
		p, err := tx.Set().Pop([]byte(key), int64(n))
		if err != nil || p.Len() != want {
			t.Fatalf("Pop: %d, %v; want %d", p.Len(), err, want)
		}
		got := 0
		err = p.Each(func(member []byte) {
			if _, ok := s.members[string(member)]; !ok {
				t.Fatalf("Pop: %q was not there", member)
			}
			delete(s.members, string(member))
			got++
		})
		if err != nil || got != want {
			t.Fatalf("Pop: %d members, %v; want %d", got, err, want)
		}
	})
	m.put(key, s)
}

func (m *setMachine) Move(t *rapid.T) {
	from, to, member := m.key(t), m.key(t), m.list(t, 1)[0]
	_, want := m.model[from].members[member]
	if want && from != to {
		s, d := m.model[from], m.model[to]
		delete(s.members, member)
		d.add(member)
		m.put(from, s)
		m.put(to, d)
	}
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.Set().Move([]byte(from), []byte(to), []byte(member)); err != nil || got != want {
			t.Fatalf("Move: %v, %v; want %v", got, err, want)
		}
	})
}

// modelCombine is combine on models.
func modelCombine(op SetOperation, sets []modelSet) (result modelSet) {
	counts := map[string]int{}
	for _, s := range sets {
		for member := range s.members {
			counts[member]++
		}
	}
	for member, n := range counts {
		_, inFirst := sets[0].members[member]
		if op == SetUnion || op == SetInter && n == len(sets) || op == SetDiff && inFirst && n == 1 {
			result.add(member)
		}
	}
	return result
}

func (m *setMachine) Combine(t *rapid.T) {
	op := SetOperation(rapid.IntRange(0, 2).Draw(t, "op"))
	keys := rapid.SliceOfN(rapid.SampledFrom(append(setKeys, "nokey")), 1, 7).Draw(t, "keys")
	store := rapid.Bool().Draw(t, "store")
	var sets []modelSet
	for _, key := range keys {
		sets = append(sets, m.model[key])
	}
	want := modelCombine(op, sets)
	m.s.update(0, func(tx *Tx) {
		got := map[string]struct{}{}
		err := tx.Set().Combine(op, sliceOfBytes(keys), func(member []byte) error {
			if _, twice := got[string(member)]; twice {
				t.Fatalf("Combine %d of %q: %q twice", op, keys, member)
			}
			got[string(member)] = struct{}{}
			return nil
		})
		if err != nil || !maps.Equal(got, want.members) {
			t.Fatalf("Combine %d of %q: %d members, %v; want %d", op, keys, len(got), err, len(want.members))
		}
		if op == SetInter {
			limit := rapid.SampledFrom([]int{0, 1, 10}).Draw(t, "limit")
			if n, err := tx.Set().InterCard(sliceOfBytes(keys), int64(limit)); err != nil ||
				limit == 0 && n != int64(len(got)) || limit > 0 && n != int64(min(limit, len(got))) {
				t.Fatalf("InterCard of %q, limit %d: %d, %v", keys, limit, n, err)
			}
		}
		if store {
			n, err := tx.Set().Store([]byte(keys[0]), op, sliceOfBytes(keys))
			if err != nil || n != int64(len(got)) {
				t.Fatalf("Store %d of %q: %d, %v; want %d", op, keys, n, err, len(got))
			}
		}
	})
	if store && keys[0] != "nokey" {
		m.put(keys[0], want)
	} else if store {
		m.s.update(0, func(tx *Tx) { tx.Keyspace().Del([]byte("nokey")) })
	}
}

// RolledBack changes a set in a transaction that does not commit.
func (m *setMachine) RolledBack(t *rapid.T) {
	key, list := []byte(m.key(t)), m.list(t, 1, 200)
	var set ShardSet
	m.s.AddAll(&set)
	tx := m.s.Begin(&set, true, 0)
	defer tx.Rollback()
	if _, err := tx.Set().Add(key, sliceOfBytes(list)); err != nil {
		t.Fatal(err)
	}
	p, err := tx.Set().Pop(key, int64(rapid.IntRange(1, 300).Draw(t, "pop")))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Each(func([]byte) {}); err != nil {
		t.Fatal(err)
	}
}

// limit makes the settings those of the model.
func (m *setMachine) limit() {
	l := defaultCollectionLimits()
	l.SetInts = setMachineInts
	m.s.SetCollectionLimits(l)
}

func (m *setMachine) Reopen(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "reopen") {
	case 0:
		m.s.reopen()
		m.limit()
	case 1:
		if err := m.s.Merge(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Check compares everything, the order of integers included.
func (m *setMachine) Check(t *rapid.T) {
	m.s.view(0, func(tx *Tx) {
		for _, key := range setKeys {
			want, got := m.model[key], membersOf(m.s.tb, tx, key)
			if _, exists := tx.eng.Get(0, []byte(key)); exists != (len(want.members) > 0) {
				t.Fatalf("%s exists: %v", key, exists)
			}
			set := map[string]struct{}{}
			for _, member := range got {
				set[member] = struct{}{}
			}
			if len(set) != len(got) || len(got) != len(want.members) || len(got) > 0 && !maps.Equal(set, want.members) {
				t.Fatalf("%s is %.300q, want %.300v", key, got, want.members)
			}
			if len(got) == 0 {
				continue
			}
			wantEncoding := map[bool]string{false: "intset", true: "hashtable"}[want.converted]
			if encoding := encodingOf(m.s.tb, tx, key); encoding != wantEncoding {
				t.Fatalf("%s, %d members: encoding %s, want %s", key, len(got), encoding, wantEncoding)
			}
			if !want.converted && !slices.IsSortedFunc(got, func(a, b string) int { return compareInts([]byte(a), []byte(b)) }) {
				t.Fatalf("%s is not in order: %.300q", key, got)
			}
		}
	})
}

// TestSetModel does what commands do with sets of both forms, on maps as well.
func TestSetModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, Options{Engine: engine.Options{DataFileBytes: 64 << 10}})
		m := &setMachine{s: s, model: map[string]modelSet{}}
		m.limit()
		rt.Repeat(map[string]func(*rapid.T){
			"Add": m.Add, "Rem": m.Rem, "Pop": m.Pop, "Move": m.Move, "Combine": m.Combine,
			"RolledBack": m.RolledBack, "Reopen": m.Reopen, "": m.Check,
		})
	})
}

func TestCompareInts(t *testing.T) {
	ints := []string{
		"-9223372036854775808", "-9223372036854775807", "-100", "-11", "-10", "-9", "-1",
		"0", "1", "2", "9", "10", "11", "99", "100", "9223372036854775807",
	}
	for i, a := range ints {
		for j, b := range ints {
			if got := compareInts([]byte(a), []byte(b)); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("compareInts(%s, %s) is %d", a, b, got)
			}
		}
	}
	// No command writes these, and no bytes on disk may end the process.
	for _, odd := range []string{"", "-", "x"} {
		compareInts([]byte(odd), []byte("1"))
		compareInts([]byte("-1"), []byte(odd))
	}
}

// addRange makes a set of n members, with a prefix before their numbers.
func addRange(tb testing.TB, s *testStore, key, prefix string, n int) {
	tb.Helper()
	s.update(0, func(tx *Tx) {
		var members [][]byte
		for i := range n {
			members = append(members, fmt.Appendf(nil, "%s%d", prefix, i))
		}
		if added, err := tx.Set().Add([]byte(key), members); err != nil || added != int64(n) {
			tb.Fatal(added, err)
		}
	})
}

// TestSetPopIsUniform: every member is popped about as often, by every way to pop,
// with a tolerance of eight standard deviations and a little.
func TestSetPopIsUniform(t *testing.T) {
	const rounds = 1000
	s := openTest(t, Options{})
	for _, size := range []int{5, 300} {
		for _, prefix := range []string{"", "m"} {
			for _, n := range []int{1, size / 3, size - 1} {
				drawn := map[string]int{}
				addRange(t, s, "k", prefix, size)
				for range rounds {
					popSome(t, s, n, drawn)
				}
				s.update(0, func(tx *Tx) { tx.Keyspace().Del([]byte("k")) })
				p := float64(n) / float64(size)
				mean, slack := rounds*p, 8*math.Sqrt(rounds*p*(1-p))+4
				for member, times := range drawn {
					if math.Abs(float64(times)-mean) > slack {
						t.Errorf("%d of %d: %q was popped %d times, want %.0f +- %.0f", n, size, member, times, mean, slack)
					}
				}
			}
		}
	}
}

// popSome pops n members of a set, which it counts, and rolls back.
func popSome(t *testing.T, s *testStore, n int, drawn map[string]int) {
	t.Helper()
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, true, 0)
	defer tx.Rollback()
	if n == 1 {
		member, _, err := tx.Set().PopOne([]byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		drawn[string(member)]++
		return
	}
	p, err := tx.Set().Pop([]byte("k"), int64(n))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Each(func(member []byte) { drawn[string(member)]++ }); err != nil {
		t.Fatal(err)
	}
}

// TestSetPopKeepsExpiry: whichever way the members go, the key is the same one.
func TestSetPopKeepsExpiry(t *testing.T) {
	s := openTest(t, Options{})
	for _, size := range []int{10, 1000} {
		for _, n := range []int{1, size - 1} {
			addRange(t, s, "k", "m", size)
			s.update(0, func(tx *Tx) {
				tx.Keyspace().Expire([]byte("k"), testEpochMs+5000, 0)
				p, err := tx.Set().Pop([]byte("k"), int64(n))
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Each(func([]byte) {}); err != nil {
					t.Fatal(err)
				}
				if at := tx.Keyspace().PExpireTime([]byte("k")); at != testEpochMs+5000 {
					t.Errorf("%d of %d popped: expires at %d", n, size, at)
				}
			})
			s.reopen()
			s.update(0, func(tx *Tx) {
				if got := len(membersOf(t, tx, "k")); got != size-n {
					t.Errorf("%d of %d popped: %d left after a restart", n, size, got)
				}
				tx.Keyspace().Del([]byte("k"))
			})
		}
	}
}

// TestSetEvents: what commands of sets tell, and count.
func TestSetEvents(t *testing.T) {
	var events []string
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e.Name+" "+e.Key) }})
	s.SetEvents(EventSet | EventGeneric | EventNew)
	b := sliceOfBytes
	pop := func(tx *Tx, n int64) error {
		p, err := tx.Set().Pop([]byte("a"), n)
		return errors.Join(err, p.Each(func([]byte) {}))
	}
	for _, tt := range []struct {
		run   func(tx *Tx) error
		want  []string
		dirty int64
	}{
		{func(tx *Tx) error { _, err := tx.Set().Add([]byte("a"), b([]string{"1", "2", "2", "3"})); return err }, []string{"new a", "sadd a"}, 3},
		{func(tx *Tx) error { _, err := tx.Set().Add([]byte("a"), b([]string{"1"})); return err }, nil, 0},
		{func(tx *Tx) error { _, err := tx.Set().Rem([]byte("a"), b([]string{"1", "9"})); return err }, []string{"srem a"}, 1},
		{func(tx *Tx) error { _, err := tx.Set().Move([]byte("a"), []byte("b"), []byte("2")); return err }, []string{"srem a", "new b", "sadd b"}, 2},
		{func(tx *Tx) error { _, err := tx.Set().Move([]byte("a"), []byte("b"), []byte("3")); return err }, []string{"srem a", "del a", "sadd b"}, 2},
		{func(tx *Tx) error { _, err := tx.Set().Store([]byte("a"), SetUnion, b([]string{"b"})); return err }, []string{"new a", "sunionstore a"}, 1},
		{func(tx *Tx) error { _, err := tx.Set().Store([]byte("a"), SetInter, b([]string{"b"})); return err }, []string{"sinterstore a"}, 1},
		{func(tx *Tx) error { return pop(tx, 1) }, []string{"spop a"}, 1},
		{func(tx *Tx) error { return pop(tx, 1) }, []string{"spop a", "del a"}, 1},
		{func(tx *Tx) error { return pop(tx, 1) }, nil, 0},
		{func(tx *Tx) error { _, err := tx.Set().Store([]byte("b"), SetDiff, b([]string{"b", "b"})); return err }, []string{"del b"}, 1},
	} {
		events = nil
		before := s.Stats().Dirty
		s.update(0, func(tx *Tx) {
			if err := tt.run(tx); err != nil {
				t.Error(err)
			}
		})
		if dirty := s.Stats().Dirty - before; !slices.Equal(events, tt.want) || dirty != tt.dirty {
			t.Errorf("events %q, want %q; %d changes, want %d", events, tt.want, dirty, tt.dirty)
		}
	}
}

// TestSetScan: a walk meets every member once; one over integers is a single step,
// and in order.
func TestSetScan(t *testing.T) {
	s := openTest(t, Options{})
	l := defaultCollectionLimits()
	l.SetInts = 2000
	s.SetCollectionLimits(l)
	for _, tt := range []struct {
		prefix    string
		n         int
		wantSteps bool
	}{{"", 10, false}, {"", 2000, false}, {"", 3000, true}, {"m", 10, false}, {"m", 1000, true}} {
		key := fmt.Sprintf("%s%d", tt.prefix, tt.n)
		addRange(t, s, key, tt.prefix, tt.n)
		s.view(0, func(tx *Tx) {
			m, err := tx.Set().Find([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			steps, cursor := 0, uint64(0)
			for done := false; !done; done = cursor == 0 {
				steps++
				cursor, err = m.Scan(cursor, ScanOptions{}, func(member []byte) error {
					got = append(got, string(member))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if steps > 1 != tt.wantSteps {
				t.Errorf("%s: %d steps", key, steps)
			}
			want := membersOf(t, tx, key)
			if !slices.Equal(got, want) {
				t.Errorf("%s: met %.100q, want %.100q", key, got, want)
			}
			matched := 0
			if _, err := m.Scan(0, ScanOptions{Match: []byte("*9"), Count: 10_000}, func([]byte) error { matched++; return nil }); err != nil || matched != tt.n/10 {
				t.Errorf("%s: %d members end in 9, %v", key, matched, err)
			}
		})
	}
}

// TestSetWrongType: a key of another type is left alone.
func TestSetWrongType(t *testing.T) {
	s := openTest(t, Options{})
	key, member := []byte("k"), []byte("1")
	s.set(0, "k", "text")
	addRange(t, s, "set", "", 3)
	s.update(0, func(tx *Tx) {
		for name, run := range map[string]func(s Set) error{
			"Find":    func(s Set) error { _, err := s.Find(key); return err },
			"Add":     func(s Set) error { _, err := s.Add(key, [][]byte{member}); return err },
			"Rem":     func(s Set) error { _, err := s.Rem(key, [][]byte{member}); return err },
			"Pop":     func(s Set) error { _, err := s.Pop(key, 1); return err },
			"PopOne":  func(s Set) error { _, _, err := s.PopOne(key); return err },
			"from":    func(s Set) error { _, err := s.Move(key, []byte("set"), member); return err },
			"to":      func(s Set) error { _, err := s.Move([]byte("set"), key, member); return err },
			"Combine": func(s Set) error { return s.Combine(SetInter, [][]byte{[]byte("nokey"), key}, nil) },
			"Store":   func(s Set) error { _, err := s.Store([]byte("set"), SetDiff, [][]byte{key}); return err },
		} {
			if err := run(tx.Set()); !errors.Is(err, ErrWrongType) {
				t.Errorf("%s: %v, want %v", name, err, ErrWrongType)
			}
		}
		if got := membersOf(t, tx, "set"); len(got) != 3 {
			t.Errorf("the set is %q", got)
		}
	})
	s.want(0, "k", "text")
}

// TestSetOrder: integers stay in order in whatever form they are, text as it came.
func TestSetOrder(t *testing.T) {
	s := openTest(t, Options{})
	for i := range 500 { // too many bytes for the small form
		s.update(0, func(tx *Tx) {
			if _, err := tx.Set().Add([]byte("ints"), [][]byte{fmt.Appendf(nil, "%d", 2e18-int64(i*7919%500)-1)}); err != nil {
				t.Fatal(err)
			}
		})
	}
	s.update(0, func(tx *Tx) {
		got := membersOf(t, tx, "ints")
		if isSmall(tx, "ints") || encodingOf(t, tx, "ints") != "intset" || !slices.IsSorted(got) {
			t.Errorf("small %v, %s, %.200q", isSmall(tx, "ints"), encodingOf(t, tx, "ints"), got)
		}
		if _, err := tx.Set().Add([]byte("text"), [][]byte{[]byte("b"), []byte("10"), []byte("a"), []byte("9")}); err != nil {
			t.Fatal(err)
		}
		if got := membersOf(t, tx, "text"); !slices.Equal(got, []string{"b", "10", "a", "9"}) {
			t.Errorf("text: %q", got)
		}
	})
}

func BenchmarkSetMembers(b *testing.B) {
	for _, n := range []int{10, 100, 100_000} {
		names := make([][]byte, n)
		for i := range names {
			names[i] = fmt.Appendf(nil, "member:%012d", i)
		}
		run := func(name string, fn func(s Set, member []byte) error) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				s := openTest(b, Options{})
				s.update(0, func(tx *Tx) {
					if _, err := tx.Set().Add([]byte("s"), names); err != nil {
						b.Fatal(err)
					}
				})
				var set ShardSet
				s.AddKey(&set, []byte("s"))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					tx := s.Begin(&set, true, 0)
					if err := fn(tx.Set(), names[i%n]); err != nil {
						b.Fatal(err)
					}
					if _, err := tx.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		key := []byte("s")
		one := make([][]byte, 1)
		run("SISMEMBER", func(s Set, member []byte) error {
			m, err := s.Find(key)
			if !m.Has(member) {
				b.Fatalf("%q is not there", member)
			}
			return err
		})
		var popped []byte
		run("SPOPSADD", func(s Set, _ []byte) error {
			member, _, err := s.PopOne(key)
			if err != nil {
				return err
			}
			popped = append(popped[:0], member...)
			one[0] = popped
			_, err = s.tx.Set().Add(key, one)
			return err
		})
	}
}

// BenchmarkSetInter is SINTER of two sets of n members.
func BenchmarkSetInter(b *testing.B) {
	for _, n := range []int{10, 100, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := openTest(b, Options{})
			addRange(b, s, "a", "member:", n)
			addRange(b, s, "b", "member:", n)
			keys := [][]byte{[]byte("a"), []byte("b")}
			var set ShardSet
			s.AddAll(&set)
			var buf bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				tx := s.Begin(&set, false, 0)
				buf.Reset()
				if err := tx.Set().Combine(SetInter, keys, func(member []byte) error {
					_, err := buf.Write(member)
					return err
				}); err != nil {
					b.Fatal(err)
				}
				tx.Rollback()
			}
		})
	}
}
