package types

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hashOf returns what HGETALL would.
func hashOf(tb testing.TB, tx *Tx, key string) map[string]string {
	tb.Helper()
	f, err := tx.Hash().Find([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	m := map[string]string{}
	err = f.Each(func(field []byte, v *Item) error {
		value, err := v.AppendTo(nil)
		m[string(field)] = string(value)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if f.Len() != len(m) {
		tb.Fatalf("Len is %d, but there are %d fields", f.Len(), len(m))
	}
	return m
}

// hashMachine is a few hashes and what they should be.
type hashMachine struct {
	s     *testStore
	model map[string]map[string]string
}

var hashKeys = []string{"k0", "k1"}

func (m *hashMachine) key(t *rapid.T) string { return rapid.SampledFrom(hashKeys).Draw(t, "key") }

func (m *hashMachine) field(t *rapid.T) string {
	return "f" + strconv.Itoa(rapid.IntRange(0, 160).Draw(t, "field"))
}

// value is short, or a number, or long enough for a few to fill the small form.
func (m *hashMachine) value(t *rapid.T) string {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return strings.Repeat("v", rapid.SampledFrom([]int{0, 64, 65, 127, 128, 1000, 4096, 5000}).Draw(t, "long"))
	case 1:
		return "text"
	default:
		return strconv.Itoa(rapid.IntRange(-3, 1000).Draw(t, "number"))
	}
}

// Set sets up to 100 fields, so that a few steps cross the boundary of the forms.
func (m *hashMachine) Set(t *rapid.T) {
	key, n := m.key(t), rapid.SampledFrom([]int{1, 1, 1, 3, 100}).Draw(t, "n")
	fields := m.model[key]
	var pairs [][]byte
	added := int64(0)
	for range n {
		field, value := m.field(t), m.value(t)
		if _, ok := fields[field]; !ok {
			added++
		}
		if fields == nil {
			fields = map[string]string{}
			m.model[key] = fields
		}
		fields[field] = value
		pairs = append(pairs, []byte(field), []byte(value))
	}
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.Hash().Set([]byte(key), pairs); err != nil || got != added {
			t.Fatalf("Set: %d new, %v; want %d", got, err, added)
		}
	})
}

func (m *hashMachine) SetNX(t *rapid.T) {
	key, field, value := m.key(t), m.field(t), m.value(t)
	_, exists := m.model[key][field]
	m.s.update(0, func(tx *Tx) {
		if done, err := tx.Hash().SetNX([]byte(key), []byte(field), []byte(value)); err != nil || done == exists {
			t.Fatalf("SetNX: %v, %v; exists %v", done, err, exists)
		}
	})
	if !exists {
		if m.model[key] == nil {
			m.model[key] = map[string]string{}
		}
		m.model[key][field] = value
	}
}

func (m *hashMachine) Del(t *rapid.T) {
	key, n := m.key(t), rapid.SampledFrom([]int{1, 1, 5, 150}).Draw(t, "n")
	var fields [][]byte
	want := int64(0)
	for range n {
		field := m.field(t)
		if _, ok := m.model[key][field]; ok {
			want++
			delete(m.model[key], field)
		}
		fields = append(fields, []byte(field))
	}
	if len(m.model[key]) == 0 {
		delete(m.model, key)
	}
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.Hash().Del([]byte(key), fields); err != nil || got != want {
			t.Fatalf("Del: %d, %v; want %d", got, err, want)
		}
	})
}

func (m *hashMachine) IncrBy(t *rapid.T) {
	key, field := m.key(t), m.field(t)
	delta := rapid.SampledFrom([]int64{1, -1, math.MaxInt64, math.MinInt64}).Draw(t, "delta")
	old, exists := m.model[key][field]
	n, isInt := ParseInt([]byte(old))
	sum, fits := addInt(n, delta)
	want := error(nil)
	switch {
	case exists && !isInt:
		want = ErrHashNotInteger
	case !fits:
		want = ErrOverflow
	}
	m.s.update(0, func(tx *Tx) {
		got, err := tx.Hash().IncrBy([]byte(key), []byte(field), delta)
		if !errors.Is(err, want) || err == nil && got != sum {
			t.Fatalf("IncrBy: %d, %v; want %d, %v", got, err, sum, want)
		}
	})
	if want == nil {
		if m.model[key] == nil {
			m.model[key] = map[string]string{}
		}
		m.model[key][field] = strconv.FormatInt(sum, 10)
	}
}

// Copy copies over the other key, or renames to it.
func (m *hashMachine) Copy(t *rapid.T) {
	from, rename := m.key(t), rapid.Bool().Draw(t, "rename")
	to := hashKeys[1-slices.Index(hashKeys, from)]
	if m.model[from] == nil {
		return
	}
	m.s.update(0, func(tx *Tx) {
		var done bool
		var err error
		if rename {
			done, err = tx.Keyspace().Rename([]byte(from), []byte(to), false)
		} else {
			done, err = tx.Keyspace().Copy([]byte(from), []byte(to), 0, true)
		}
		if !done || err != nil {
			t.Fatalf("copy or rename: %v, %v", done, err)
		}
	})
	m.model[to] = maps.Clone(m.model[from])
	if rename {
		delete(m.model, from)
	}
}

// RolledBack changes a hash in a transaction that does not commit.
func (m *hashMachine) RolledBack(t *rapid.T) {
	key := []byte(m.key(t))
	var set ShardSet
	m.s.AddAll(&set)
	tx := m.s.Begin(&set, true, 0)
	defer tx.Rollback()
	var pairs [][]byte
	for i := range rapid.SampledFrom([]int{1, 130}).Draw(t, "n") {
		pairs = append(pairs, fmt.Appendf(nil, "f%d", i), []byte("rolled back"))
	}
	if _, err := tx.Hash().Set(key, pairs); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Hash().Del(key, pairs); err != nil {
		t.Fatal(err)
	}
}

func (m *hashMachine) Reopen(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
		m.s.reopen()
	}
}

// Check compares everything.
func (m *hashMachine) Check(t *rapid.T) {
	m.s.view(0, func(tx *Tx) {
		for _, key := range hashKeys {
			if got := hashOf(m.s.tb, tx, key); !maps.Equal(got, m.model[key]) && len(got)+len(m.model[key]) > 0 {
				t.Fatalf("%s is %.300v, want %.300v", key, got, m.model[key])
			}
			if _, exists := tx.eng.Get(0, []byte(key)); exists != (len(m.model[key]) > 0) {
				t.Fatalf("%s exists: %v", key, exists)
			}
		}
	})
}

func TestHashModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &hashMachine{s: openTest(t, Options{}), model: map[string]map[string]string{}}
		rt.Repeat(map[string]func(*rapid.T){
			"Set": m.Set, "SetNX": m.SetNX, "Del": m.Del, "IncrBy": m.IncrBy, "Copy": m.Copy,
			"RolledBack": m.RolledBack, "Reopen": m.Reopen, "": m.Check,
		})
	})
}

// bigHash makes a large hash of n fields with short values.
func bigHash(tb testing.TB, s *testStore, key string, n int) {
	tb.Helper()
	s.update(0, func(tx *Tx) {
		var pairs [][]byte
		for i := range n {
			pairs = append(pairs, fmt.Appendf(nil, "f%d", i), fmt.Appendf(nil, "%d", i))
		}
		if _, err := tx.Hash().Set([]byte(key), pairs); err != nil {
			tb.Fatal(err)
		}
	})
}

// TestHashScan walks while fields come and go: those that stay are met once.
func TestHashScan(t *testing.T) {
	s := openTest(t, Options{})
	for _, n := range []int{0, 1, 100, 129, 3000} {
		for _, count := range []int{0, 1, 7, 100, 5000} {
			key := fmt.Sprintf("h%d", n)
			s.update(0, func(tx *Tx) { tx.Keyspace().Del([]byte(key)) })
			if n > 0 {
				bigHash(t, s, key, n)
			}
			seen := scanChanging(t, s, []byte(key), count)
			for i := range n {
				field := fmt.Sprintf("f%d", i)
				if i%3 != 0 && seen[field] != 1 || seen[field] > 1 {
					t.Fatalf("%d fields, COUNT %d: %s was met %d times", n, count, field, seen[field])
				}
			}
		}
	}
}

// scanChanging returns how often each field was met by a walk during which every
// third one is deleted and others come.
func scanChanging(t *testing.T, s *testStore, key []byte, count int) map[string]int {
	t.Helper()
	seen := map[string]int{}
	cursor, steps := uint64(0), 0
	for {
		s.update(0, func(tx *Tx) {
			f, err := tx.Hash().Find(key)
			if err != nil {
				t.Fatal(err)
			}
			cursor, err = f.Scan(cursor, ScanOptions{Count: count}, func(field []byte, _ *Item) error {
				seen[string(field)]++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if cursor > 1<<53 {
				t.Fatalf("cursor %d is no JavaScript number", cursor)
			}
			if cursor == 0 {
				return
			}
			if _, err := tx.Hash().Del(key, [][]byte{fmt.Appendf(nil, "f%d", steps*3)}); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Hash().Set(key, [][]byte{fmt.Appendf(nil, "new%d", steps), nil}); err != nil {
				t.Fatal(err)
			}
		})
		if steps++; cursor == 0 {
			return seen
		}
	}
}

func TestHashScanOptions(t *testing.T) {
	s := openTest(t, Options{})
	bigHash(t, s, "h", 1000)
	s.view(0, func(tx *Tx) {
		f, err := tx.Hash().Find([]byte("h"))
		if err != nil {
			t.Fatal(err)
		}
		for pattern, want := range map[string]int{"*": 1000, "f99*": 11, "nothing": 0, "f?": 10} {
			n := 0
			next, err := f.Scan(0, ScanOptions{Match: []byte(pattern), Count: 2000}, func([]byte, *Item) error { n++; return nil })
			if n != want || next != 0 || err != nil {
				t.Errorf("%s: %d fields, want %d; cursor %d, %v", pattern, n, want, next, err)
			}
		}
		for _, cursor := range []uint64{1 << 52, math.MaxUint64} {
			if next, err := f.Scan(cursor, ScanOptions{}, func([]byte, *Item) error { t.Error("met a field"); return nil }); next != 0 || err != nil {
				t.Errorf("cursor %d: %d, %v", cursor, next, err)
			}
		}
		stop := errors.New("stop")
		if _, err := f.Scan(0, ScanOptions{}, func([]byte, *Item) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("an error of fn became %v", err)
		}
	})
}

// TestHashRandom: the right number, no field twice unless asked, all fields about
// as often, with a tolerance of eight standard deviations, and a little for where they
// are drawn so rarely that such a distance is not that unlikely.
func TestHashRandom(t *testing.T) {
	s := openTest(t, Options{})
	for _, size := range []int{5, 300} {
		key := fmt.Sprintf("h%d", size)
		bigHash(t, s, key, size)
		s.view(0, func(tx *Tx) {
			f, err := tx.Hash().Find([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, size / 10, size / 2, size - 1, size, size + 1} {
				checkRandom(t, &f, n, false)
				checkRandom(t, &f, n, true)
			}
		})
	}
}

func checkRandom(t *testing.T, f *Fields, n int, repeated bool) {
	t.Helper()
	const rounds = 2000
	drawn, want := map[string]int{}, n
	if !repeated {
		want = min(n, f.Len())
	}
	for range rounds {
		once, got := map[string]bool{}, 0
		err := f.Random(n, repeated, func(field []byte, v *Item) error {
			if value, err := v.AppendTo(nil); err != nil || "f"+string(value) != string(field) {
				t.Fatalf("field %q has %q, %v", field, value, err)
			}
			got++
			once[string(field)] = true
			drawn[string(field)]++
			return nil
		})
		if err != nil || got != want || !repeated && len(once) != want {
			t.Fatalf("%d of %d: %d fields, %d different, %v", n, f.Len(), got, len(once), err)
		}
	}
	p := float64(want) / float64(f.Len())
	mean := rounds * p
	slack := 8*math.Sqrt(rounds*p) + 4
	if n := f.Len() - len(drawn); n > 0 && mean > slack {
		t.Errorf("%d of %d, repeated %v: %d fields were never drawn", want, f.Len(), repeated, n)
	}
	for field, times := range drawn {
		if math.Abs(float64(times)-mean) > slack {
			t.Errorf("%d of %d, repeated %v: %s was drawn %d times, want %.0f +- %.0f", n, f.Len(), repeated, field, times, mean, slack)
		}
	}
}

// TestHashWrongType: a key of another type is left alone.
func TestHashWrongType(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("k")
	s.set(0, "k", "text")
	s.update(0, func(tx *Tx) {
		for name, run := range map[string]func(h Hash) error{
			"Find":        func(h Hash) error { _, err := h.Find(key); return err },
			"Set":         func(h Hash) error { _, err := h.Set(key, [][]byte{key, key}); return err },
			"SetNX":       func(h Hash) error { _, err := h.SetNX(key, key, key); return err },
			"Del":         func(h Hash) error { _, err := h.Del(key, [][]byte{key}); return err },
			"IncrBy":      func(h Hash) error { _, err := h.IncrBy(key, key, 1); return err },
			"IncrByFloat": func(h Hash) error { _, err := h.IncrByFloat(nil, key, key, []byte("1")); return err },
		} {
			if err := run(tx.Hash()); !errors.Is(err, ErrWrongType) {
				t.Errorf("%s: %v, want %v", name, err, ErrWrongType)
			}
		}
	})
	s.want(0, "k", "text")
}

func benchmarkHash(b *testing.B, fields int, run func(h Hash, key, field []byte)) {
	b.Helper()
	s := openTest(b, Options{})
	bigHash(b, s, "h", fields)
	var set ShardSet
	key := []byte("h")
	s.AddKey(&set, key)
	names := make([][]byte, fields)
	for i := range names {
		names[i] = fmt.Appendf(nil, "f%d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tx := s.Begin(&set, true, 0)
		run(tx.Hash(), key, names[i%fields])
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	buf, value := make([]byte, 0, 128), []byte(strings.Repeat("v", 64))
	for _, n := range []int{10, 50, 100_000} {
		b.Run(fmt.Sprintf("HSET/%d", n), func(b *testing.B) {
			pairs := [][]byte{nil, value}
			benchmarkHash(b, n, func(h Hash, key, field []byte) {
				pairs[0] = field
				if _, err := h.Set(key, pairs); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(fmt.Sprintf("HGET/%d", n), func(b *testing.B) {
			benchmarkHash(b, n, func(h Hash, key, field []byte) {
				f, err := h.Find(key)
				if err != nil {
					b.Fatal(err)
				}
				v, ok := f.Get(field)
				if buf, err = v.AppendTo(buf[:0]); !ok || err != nil {
					b.Fatal(ok, err)
				}
			})
		})
	}
}
