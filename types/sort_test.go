package types

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSortScore(t *testing.T) {
	for text, want := range map[string]float64{
		"": 0, "0": 0, "-0": 0, "1": 1, "+1": 1, "-1": -1, "007": 7, " \t\n\v\f\r12": 12, "1e3": 1000, "1E-2": 0.01,
		".5": 0.5, "5.": 5, "0x10": 16, "-0X1.8p1": -3, "0x.8": 0.5, "inf": math.Inf(1), "-INF": math.Inf(-1),
		"Infinity": math.Inf(1), "12\x00junk": 12, "\x00junk": 0, "0e-999": 0, "0.000e400": 0, "0x0p-9999": 0,
		"9223372036854775807": math.MaxInt64, "18446744073709551616": 1 << 64, "2.2250738585072014e-308": minNormal,
		"1.7976931348623157e308": math.MaxFloat64, "0x1p-1074": math.SmallestNonzeroFloat64,
	} {
		if got, ok := parseSortScore([]byte(text)); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		" ", "a", "1a", "1 ", "--1", "+-1", "1_000", "0x", "0x_1", "nan", "-NaN", "nan(1)", "1e", "1e400", "-1e400", "1e-400",
		"1e-310", "4.9e-324", "0x1p-2000", "1p3", "infx", "in", ".", "e5", "0b1", "0o7",
	} {
		if got, ok := parseSortScore([]byte(text)); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestSortPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, prefix, suffix, field string
		kind                           sortPatternKind
	}{
		{"#", "", "", "", sortByElement},
		{"", "", "", "", sortByNothing},
		{"key", "", "", "", sortByNothing},
		{"key->f", "", "", "", sortByNothing},
		{"*", "", "", "", sortByKey},
		{"a*b", "a", "b", "", sortByKey},
		{"a*b*c", "a", "b*c", "", sortByKey},
		{"#*", "#", "", "", sortByKey},
		{"a*->f", "a", "", "f", sortByKey},
		{"a*b->f->g", "a", "b", "f->g", sortByKey},
		{"a*b->", "a", "b->", "", sortByKey},
		{"a->*", "a->", "", "", sortByKey},
	} {
		p := parseSortPattern([]byte(tt.pattern))
		if p.kind != tt.kind || string(p.prefix) != tt.prefix || string(p.suffix) != tt.suffix || string(p.field) != tt.field {
			t.Errorf("%q: %d %q %q %q", tt.pattern, p.kind, p.prefix, p.suffix, p.field)
		}
	}
}

// sortOf returns what SORT would; what does not exist is "-".
func sortOf(tb testing.TB, tx *Tx, key string, o SortOptions) (list []string) {
	tb.Helper()
	r, err := tx.Sort([]byte(key), o)
	if err != nil {
		tb.Fatal(err)
	}
	err = r.Each(func(value []byte, ok bool) error {
		if !ok {
			value = []byte("-")
		}
		list = append(list, string(value))
		return nil
	})
	if err != nil || len(list) != r.Len() {
		tb.Fatalf("%d values, Len %d, %v", len(list), r.Len(), err)
	}
	return list
}

// TestSortModel sorts collections of every type and form and compares with what a
// plain sort makes of their elements.
func TestSortModel(t *testing.T) {
	s := openTest(t, Options{})
	keys := map[string][]string{} // in their own order
	s.update(0, func(tx *Tx) {
		for _, n := range []int{0, 1, 30, 1000} {
			var list []string
			for i := range n {
				list = append(list, strconv.Itoa(i*7919%1009))
			}
			values := sliceOfBytes(list)
			names := []string{"list", "set", "zset"}
			for _, name := range names {
				keys[fmt.Sprintf("%s%d", name, n)] = list
			}
			if n == 0 {
				continue
			}
			if _, err := tx.List().Push(fmt.Appendf(nil, "list%d", n), Right, values, false); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Set().Add(fmt.Appendf(nil, "set%d", n), values); err != nil {
				t.Fatal(err)
			}
			var scored []Scored
			for i, value := range values {
				scored = append(scored, Scored{value, float64(i)})
			}
			if _, _, err := tx.ZSet().Add(fmt.Appendf(nil, "zset%d", n), scored, ZAddOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 1009 {
			if _, err := tx.String().Set(fmt.Appendf(nil, "w%d", i), strconv.AppendInt(nil, int64(i%10), 10), SetOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range keys {
			if !yield(name) {
				return
			}
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom(names).Draw(rt, "key")
		o := SortOptions{
			Alpha: rapid.Bool().Draw(rt, "alpha"), Desc: rapid.Bool().Draw(rt, "desc"), Limited: rapid.Bool().Draw(rt, "limited"),
			Offset: rapid.SampledFrom([]int64{0, 1, 10, 29, 1000, math.MaxInt64, -5, math.MinInt64}).Draw(rt, "offset"),
			Count:  rapid.SampledFrom([]int64{0, 1, 10, 1000, math.MaxInt64, -1, math.MinInt64}).Draw(rt, "count"),
		}
		switch rapid.IntRange(0, 2).Draw(rt, "by") {
		case 1:
			o.By, o.HasBy = []byte("w*"), true
		case 2:
			o.By, o.HasBy = []byte("nosort"), true
		}
		if key == "set1000" && o.HasBy {
			o.Alpha = false // what is alike stays in an order that means nothing
		}
		want := modelSort(key, keys[key], o)
		s.view(0, func(tx *Tx) {
			got := sortOf(t, tx, key, o)
			if key == "set1000" && string(o.By) == "nosort" { // in no order that means anything
				slices.Sort(got)
				if len(slices.Compact(got)) == len(want) {
					return
				}
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s %+v: %.200q, want %.200q", key, o, got, want)
			}
		})
	})
}

func modelSort(key string, elements []string, o SortOptions) []string {
	list := slices.Clone(elements)
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			panic(err)
		}
		return n
	}
	isSet := key[0] == 's'
	if isSet { // its own order is known only of integers that are an intset
		slices.SortFunc(list, func(a, b string) int { return number(a) - number(b) })
	}
	switch {
	case o.HasBy && string(o.By) == "nosort" && isSet:
	case o.HasBy && string(o.By) == "nosort":
		if o.Desc {
			slices.Reverse(list)
		}
	default:
		slices.SortStableFunc(list, func(a, b string) (order int) {
			switch {
			case o.HasBy && o.Alpha:
				order = number(a)%10 - number(b)%10
			case o.HasBy:
				order = cmp.Or(number(a)%10-number(b)%10, cmp.Compare(a, b))
			case o.Alpha:
				order = cmp.Compare(a, b)
			default:
				order = number(a) - number(b)
			}
			if o.Desc {
				order = -order
			}
			return order
		})
	}
	if !o.Limited {
		return list
	}
	offset := min(max(o.Offset, 0), int64(len(list)))
	list = list[offset:]
	if o.Count >= 0 {
		list = list[:min(o.Count, int64(len(list)))]
	}
	return list
}

// TestSortLooksUp: patterns find strings and fields, large ones as well, and
// nothing else.
func TestSortLooksUp(t *testing.T) {
	s := openTest(t, Options{})
	large := string(pattern(100_000))
	s.set(0, "s1", "one")
	s.set(0, "s2", large)
	s.setOpt(0, "s4", "gone", SetOptions{ExpireMs: testEpochMs + 1})
	bigHash(t, s, "h1", 3)
	bigHash(t, s, "h2", 1000)
	s.clock.advance(10_000_000)
	s.update(0, func(tx *Tx) {
		if _, err := tx.List().Push([]byte("l"), Right, sliceOfBytes([]string{"4", "3", "2", "1"}), false); err != nil {
			t.Fatal(err)
		}
		for pattern, want := range map[string][]string{
			"s*": {"one", large, "-", "-"}, "h*->f2": {"2", "2", "-", "-"}, "h*->f999": {"-", "999", "-", "-"},
			"s*->f2": {"-", "-", "-", "-"}, "h*": {"-", "-", "-", "-"}, "#": {"1", "2", "3", "4"}, "s1": {"-", "-", "-", "-"},
		} {
			if got := sortOf(t, tx, "l", SortOptions{Get: [][]byte{[]byte(pattern)}}); !slices.Equal(got, want) {
				t.Errorf("%s: %.200q, want %.200q", pattern, got, want)
			}
		}
		got := sortOf(t, tx, "l", SortOptions{Alpha: true, By: []byte("s*"), HasBy: true, Desc: true})
		if want := []string{"1", "2", "4", "3"}; large < "one" && !slices.Equal(got, want) {
			t.Errorf("by s*: %q, want %q", got, want)
		}
		if _, err := tx.Sort([]byte("l"), SortOptions{By: []byte("s*"), HasBy: true}); !errors.Is(err, ErrSortScore) {
			t.Errorf("by s*, as numbers: %v", err)
		}
		if _, err := tx.Sort([]byte("h1"), SortOptions{}); !errors.Is(err, ErrWrongType) {
			t.Errorf("a hash: %v", err)
		}
	})
}

// TestSortStore: what is stored is a list, whatever was there, and is there after
// a restart.
func TestSortStore(t *testing.T) {
	var events []string
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e.Name) }})
	addRange(t, s, "s", "", 1000)
	s.SetEvents(EventList | EventGeneric)
	before := s.Stats().Dirty
	for _, dst := range []string{"d", "s"} {
		s.update(0, func(tx *Tx) {
			r, err := tx.Sort([]byte("s"), SortOptions{Desc: true, ToStore: true})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.Store([]byte(dst)); n != 1000 || err != nil {
				t.Fatalf("Store: %d, %v", n, err)
			}
		})
	}
	if n := s.Stats().Dirty - before; n != 2000 || !slices.Equal(events, []string{"sortstore", "sortstore"}) {
		t.Errorf("%d changes, events %q", n, events)
	}
	s.reopen()
	s.view(0, func(tx *Tx) {
		for _, dst := range []string{"d", "s"} {
			list := listOf(t, tx, dst)
			for i, element := range list {
				if element != strconv.Itoa(999-i) {
					t.Fatalf("%s: element %d is %q", dst, i, element)
				}
			}
			if len(list) != 1000 {
				t.Errorf("%s: %d elements", dst, len(list))
			}
		}
	})
}

func BenchmarkSort(b *testing.B) {
	s := openTest(b, Options{})
	addRange(b, s, "s", "", 10_000)
	var set ShardSet
	s.AddAll(&set)
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		tx := s.Begin(&set, false, 0)
		r, err := tx.Sort([]byte("s"), SortOptions{})
		if err != nil {
			b.Fatal(err)
		}
		buf.Reset()
		if err := r.Each(func(value []byte, _ bool) error {
			_, err := buf.Write(value)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		tx.Rollback()
	}
}
