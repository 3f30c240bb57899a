package types

import (
	"bytes"
	"cmp"
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

// scored is Scored with a string, for models.
type scored struct {
	member string
	score  float64
}

// inOrder returns a model in the order of a sorted set.
func inOrder(model map[string]float64) (list []scored) {
	for member, score := range model {
		list = append(list, scored{member, score})
	}
	slices.SortFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.member, b.member))
	})
	return list
}

// zsetOf returns what a range of a sorted set has, in its order.
func zsetOf(tb testing.TB, tx *Tx, key string, r *ZRange) (list []scored) {
	tb.Helper()
	s, err := tx.ZSet().Find([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return spanOf(tb, &s, s.Range(r))
}

func spanOf(tb testing.TB, s *Sorted, p Span) (list []scored) {
	tb.Helper()
	err := s.Each(p, func(member []byte, score float64) error {
		list = append(list, scored{string(member), score})
		return nil
	})
	if err != nil || len(list) != p.Len() {
		tb.Fatalf("%d of %d members, %v", len(list), p.Len(), err)
	}
	return list
}

// means is what a range means, said the simple way.
func (r *ZRange) means(all []scored) (list []scored) {
	n := int64(len(all))
	for i, m := range all {
		rank := int64(i)
		if r.Reverse {
			rank = n - 1 - rank
		}
		start, stop := r.Start, r.Stop
		if start < 0 {
			start = max(n+start, 0)
		}
		if stop < 0 {
			stop += n
		}
		in := false
		switch r.By {
		case ZByRank:
			in = rank >= start && rank <= stop
		case ZByScore:
			in = (m.score > r.Min || m.score == r.Min && !r.MinEx) && (m.score < r.Max || m.score == r.Max && !r.MaxEx)
		case ZByLex:
			in = !r.From.before([]byte(m.member)) && !r.To.behind([]byte(m.member))
		}
		if in {
			list = append(list, m)
		}
	}
	if r.Reverse {
		slices.Reverse(list)
	}
	if !r.Limited {
		return list
	}
	if r.Offset < 0 || r.Offset > int64(len(list)) {
		return nil
	}
	list = list[r.Offset:]
	if r.Count >= 0 && r.Count < int64(len(list)) {
		list = list[:r.Count]
	}
	return list
}

// zsetMachine is a few sorted sets and what they should be.
type zsetMachine struct {
	s     *testStore
	model map[string]map[string]float64
}

var zsetKeys = []string{"k0", "k1"}

func (m *zsetMachine) key(t *rapid.T) string { return rapid.SampledFrom(zsetKeys).Draw(t, "key") }

func (m *zsetMachine) of(key string) map[string]float64 {
	if m.model[key] == nil {
		m.model[key] = map[string]float64{}
	}
	return m.model[key]
}

func (m *zsetMachine) member(t *rapid.T) string {
	if rapid.IntRange(0, 30).Draw(t, "kind") == 0 {
		return strings.Repeat("m", rapid.SampledFrom([]int{0, 64, 65, 1000, 5000}).Draw(t, "long"))
	}
	return "m" + strconv.Itoa(rapid.IntRange(0, 160).Draw(t, "member"))
}

func (m *zsetMachine) score(t *rapid.T) float64 {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return rapid.SampledFrom([]float64{
			math.Inf(1), math.Inf(-1), 0.1, -0.1, 1e300, -1e300, 5e-324, -5e-324, math.Copysign(0, -1), math.MaxFloat64,
		}).Draw(t, "rare")
	}
	return float64(rapid.IntRange(-4, 4).Draw(t, "score"))
}

func (m *zsetMachine) draw(t *rapid.T, by ZRangeBy) *ZRange {
	r := &ZRange{By: by, Reverse: rapid.Bool().Draw(t, "reverse")}
	switch by {
	case ZByScore:
		r.Min, r.Max = m.score(t), m.score(t)
		r.MinEx, r.MaxEx = rapid.Bool().Draw(t, "minex"), rapid.Bool().Draw(t, "maxex")
	case ZByLex:
		r.From, r.To = m.lexBound(t), m.lexBound(t)
	default:
		rank := rapid.SampledFrom([]int64{math.MinInt64, -200, -100, -5, -1, 0, 1, 4, 50, 120, 200, math.MaxInt64})
		r.Start, r.Stop = rank.Draw(t, "start"), rank.Draw(t, "stop")
	}
	if r.Limited = rapid.Bool().Draw(t, "limited"); r.Limited {
		limit := rapid.SampledFrom([]int64{0, 1, 3, 100, -1, math.MaxInt64, math.MinInt64})
		r.Offset, r.Count = limit.Draw(t, "offset"), limit.Draw(t, "count")
	}
	return r
}

func (m *zsetMachine) lexBound(t *rapid.T) LexBound {
	return LexBound{
		Member: []byte(m.member(t)), Ex: rapid.Bool().Draw(t, "ex"),
		Open: rapid.SampledFrom([]int8{0, 0, 0, 1, -1}).Draw(t, "open"),
	}
}

// Add sets the scores of up to 100 members, so that a few steps cross the boundary
// of the forms.
func (m *zsetMachine) Add(t *rapid.T) {
	key, n := m.key(t), rapid.SampledFrom([]int{1, 1, 1, 3, 100}).Draw(t, "n")
	o := rapid.SampledFrom([]ZAddOptions{{}, {}, {}, {NX: true}, {XX: true}, {GT: true}, {LT: true}, {XX: true, GT: true}}).Draw(t, "options")
	flat := rapid.Bool().Draw(t, "one score for all")
	model, added, changed := m.of(key), int64(0), int64(0)
	var list []Scored
	for range n {
		member, score := m.member(t), 0.0
		if !flat {
			score = m.score(t)
		}
		list = append(list, Scored{[]byte(member), score})
		old, exists := model[member]
		switch {
		case exists && (o.NX || o.GT && score <= old || o.LT && score >= old || score == old), !exists && o.XX:
			continue
		case exists:
			changed++
		default:
			added++
		}
		model[member] = score
	}
	m.s.update(0, func(tx *Tx) {
		if a, c, err := tx.ZSet().Add([]byte(key), list, o); err != nil || a != added || c != changed {
			t.Fatalf("Add %+v: %d new, %d changed, %v; want %d, %d", o, a, c, err, added, changed)
		}
	})
}

func (m *zsetMachine) IncrBy(t *rapid.T) {
	key, member, delta := m.key(t), m.member(t), m.score(t)
	model := m.of(key)
	want := model[member] + delta
	m.s.update(0, func(tx *Tx) {
		sum, done, err := tx.ZSet().IncrBy([]byte(key), []byte(member), delta, ZAddOptions{})
		switch {
		case math.IsNaN(want):
			if !errors.Is(err, ErrScoreNaN) || done {
				t.Fatalf("IncrBy: %v, %v, %v", sum, done, err)
			}
			return
		case err != nil || !done || sum != want:
			t.Fatalf("IncrBy: %v, %v, %v; want %v", sum, done, err, want)
		}
		model[member] = want
	})
}

func (m *zsetMachine) Rem(t *rapid.T) {
	key, n := m.key(t), rapid.SampledFrom([]int{1, 1, 5, 150}).Draw(t, "n")
	var members [][]byte
	want := int64(0)
	for range n {
		member := m.member(t)
		if _, ok := m.of(key)[member]; ok {
			want++
			delete(m.of(key), member)
		}
		members = append(members, []byte(member))
	}
	m.s.update(0, func(tx *Tx) {
		if got, err := tx.ZSet().Rem([]byte(key), members); err != nil || got != want {
			t.Fatalf("Rem: %d, %v; want %d", got, err, want)
		}
	})
}

// RemoveRange removes what a range means; of whole sorted sets only at times.
func (m *zsetMachine) RemoveRange(t *rapid.T) {
	key := m.key(t)
	all := inOrder(m.of(key))
	r := m.draw(t, rapid.SampledFrom([]ZRangeBy{ZByRank, ZByScore}).Draw(t, "by"))
	gone := r.means(all)
	if len(gone) > 20 && rapid.IntRange(0, 3).Draw(t, "whole") > 0 {
		return
	}
	m.s.update(0, func(tx *Tx) {
		if n, err := tx.ZSet().RemoveRange([]byte(key), r, "zremrangebyrank"); err != nil || n != int64(len(gone)) {
			t.Fatalf("RemoveRange %+v: %d, %v; want %d", r, n, err, len(gone))
		}
	})
	for _, g := range gone {
		delete(m.of(key), g.member)
	}
}

// StoreRange stores a range of one key in the other, or in itself.
func (m *zsetMachine) StoreRange(t *rapid.T) {
	from, to := m.key(t), m.key(t)
	r := m.draw(t, rapid.SampledFrom([]ZRangeBy{ZByRank, ZByScore}).Draw(t, "by"))
	want := r.means(inOrder(m.of(from)))
	m.s.update(0, func(tx *Tx) {
		if n, err := tx.ZSet().StoreRange([]byte(to), []byte(from), r); err != nil || n != int64(len(want)) {
			t.Fatalf("StoreRange %+v: %d, %v; want %d", r, n, err, len(want))
		}
	})
	m.model[to] = map[string]float64{}
	for _, w := range want {
		m.model[to][w.member] = w.score
	}
}

// RolledBack changes a sorted set in a transaction that does not commit.
func (m *zsetMachine) RolledBack(t *rapid.T) {
	key := []byte(m.key(t))
	var set ShardSet
	m.s.AddAll(&set)
	tx := m.s.Begin(&set, true, 0)
	defer tx.Rollback()
	var list []Scored
	for i := range rapid.SampledFrom([]int{1, 130}).Draw(t, "n") {
		list = append(list, Scored{fmt.Appendf(nil, "m%d", i), 77})
	}
	if _, _, err := tx.ZSet().Add(key, list, ZAddOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ZSet().RemoveRange(key, &ZRange{Stop: int64(rapid.IntRange(-2, 50).Draw(t, "stop"))}, "x"); err != nil {
		t.Fatal(err)
	}
}

func (m *zsetMachine) Reopen(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
		m.s.reopen()
	}
}

// Look compares a range of each kind, and a rank from both ends.
func (m *zsetMachine) Look(t *rapid.T) {
	key, member := m.key(t), m.member(t)
	all := inOrder(m.of(key))
	m.s.view(0, func(tx *Tx) {
		for _, by := range []ZRangeBy{ZByRank, ZByScore, ZByLex} {
			r := m.draw(t, by)
			if by == ZByLex && len(all) > 0 && all[0].score != all[len(all)-1].score {
				continue // means nothing
			}
			if got, want := zsetOf(m.s.tb, tx, key, r), r.means(all); !slices.Equal(got, want) {
				t.Fatalf("%s: %+v is %.300v, want %.300v", key, r, got, want)
			}
		}
		s, err := tx.ZSet().Find([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		place := slices.IndexFunc(all, func(a scored) bool { return a.member == member })
		rank, score, ok, err := s.Rank([]byte(member), false)
		back, _, _, _ := s.Rank([]byte(member), true)
		if ok != (place >= 0) || err != nil || ok && (rank != place || back != len(all)-1-place || score != all[place].score) {
			t.Fatalf("%s: rank of %.20q is %d, %d, %v, %v, %v; want %d", key, member, rank, back, score, ok, err, place)
		}
	})
}

// Check compares everything.
func (m *zsetMachine) Check(t *rapid.T) {
	m.s.view(0, func(tx *Tx) {
		for _, key := range zsetKeys {
			want := inOrder(m.model[key])
			if got := zsetOf(m.s.tb, tx, key, &ZRange{Stop: -1}); !slices.Equal(got, want) {
				t.Fatalf("%s is %.300v, want %.300v", key, got, want)
			}
			if _, exists := tx.eng.Get(0, []byte(key)); exists != (len(want) > 0) {
				t.Fatalf("%s exists: %v", key, exists)
			}
		}
	})
}

func TestZSetModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &zsetMachine{s: openTest(t, Options{}), model: map[string]map[string]float64{}}
		rt.Repeat(map[string]func(*rapid.T){
			"Add": m.Add, "IncrBy": m.IncrBy, "Rem": m.Rem, "RemoveRange": m.RemoveRange, "StoreRange": m.StoreRange,
			"RolledBack": m.RolledBack, "Reopen": m.Reopen, "Look": m.Look, "": m.Check,
		})
	})
}

// bigZSet makes a large sorted set whose member m<i> has the score i.
func bigZSet(tb testing.TB, s *testStore, key string, n int) {
	tb.Helper()
	s.update(0, func(tx *Tx) {
		var list []Scored
		for i := range n {
			list = append(list, Scored{fmt.Appendf(nil, "m%d", i), float64(i)})
		}
		if _, _, err := tx.ZSet().Add([]byte(key), list, ZAddOptions{}); err != nil {
			tb.Fatal(err)
		}
	})
}

// TestZSetScan: a walk meets every member once, with its score, in either form.
func TestZSetScan(t *testing.T) {
	s := openTest(t, Options{})
	for _, n := range []int{0, 1, 100, 3000} {
		key := fmt.Sprintf("z%d", n)
		if n > 0 {
			bigZSet(t, s, key, n)
		}
		seen := map[string]float64{}
		s.view(0, func(tx *Tx) {
			z, err := tx.ZSet().Find([]byte(key))
			for cursor := uint64(0); err == nil; {
				cursor, err = z.Scan(cursor, ScanOptions{Count: 7}, func(member []byte, v *Item) error {
					if _, again := seen[string(member)]; again {
						t.Errorf("%s again", member)
					}
					var err error
					seen[string(member)], err = v.Score()
					return err
				})
				if cursor == 0 {
					break
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		want := map[string]float64{}
		for i := range n {
			want[fmt.Sprintf("m%d", i)] = float64(i)
		}
		if !maps.Equal(seen, want) {
			t.Errorf("%d members: %.300v", n, seen)
		}
	}
}

// TestZSetRemovedWhole: taking all members out of a large sorted set writes the
// end of the key, not of every member.
func TestZSetRemovedWhole(t *testing.T) {
	s := openTest(t, Options{})
	bigZSet(t, s, "z", 10_000)
	before := s.Engine().Stats().DiskBytes
	s.update(0, func(tx *Tx) {
		if n, err := tx.ZSet().RemoveRange([]byte("z"), &ZRange{Stop: -1}, "zremrangebyrank"); n != 10_000 || err != nil {
			t.Fatal(n, err)
		}
	})
	if grown := s.Engine().Stats().DiskBytes - before; grown > 1000 {
		t.Errorf("%d bytes were written", grown)
	}
	if s.Size(0) != 0 {
		t.Error("the key is still there")
	}
}

// TestZSetEvents: one event for a command, and what follows from it.
func TestZSetEvents(t *testing.T) {
	var events []string
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e.Name) }})
	s.SetEvents(EventZSet | EventGeneric | EventNew)
	key, one := []byte("z"), []Scored{{[]byte("a"), 1}}
	for _, tt := range []struct {
		run  func(z ZSet) error
		want []string
	}{
		{func(z ZSet) error { _, _, err := z.Add(key, one, ZAddOptions{XX: true}); return err }, nil},
		{func(z ZSet) error { _, _, err := z.Add(key, one, ZAddOptions{}); return err }, []string{"new", "zadd"}},
		{func(z ZSet) error { _, _, err := z.Add(key, one, ZAddOptions{}); return err }, nil},
		{func(z ZSet) error { _, _, err := z.IncrBy(key, key, 1, ZAddOptions{}); return err }, []string{"zincr"}},
		{func(z ZSet) error { _, _, err := z.IncrBy(key, key, 0, ZAddOptions{}); return err }, nil},
		{func(z ZSet) error { _, err := z.Rem(key, [][]byte{key}); return err }, []string{"zrem"}},
		{func(z ZSet) error { _, err := z.StoreRange([]byte("y"), key, &ZRange{Stop: -1}); return err }, []string{"new", "zrangestore"}},
		{func(z ZSet) error { _, err := z.StoreRange([]byte("y"), key, &ZRange{Start: 5}); return err }, []string{"del"}},
		{func(z ZSet) error { _, err := z.RemoveRange(key, &ZRange{Start: 5, Stop: -1}, "no"); return err }, nil},
		{func(z ZSet) error { _, err := z.RemoveRange(key, &ZRange{Stop: -1}, "zremrangebyrank"); return err }, []string{"zremrangebyrank", "del"}},
	} {
		events = nil
		s.update(0, func(tx *Tx) {
			if err := tt.run(tx.ZSet()); err != nil {
				t.Error(err)
			}
		})
		if !slices.Equal(events, tt.want) {
			t.Errorf("events %q, want %q", events, tt.want)
		}
	}
}

// TestZSetWrongType: a key of another type is left alone.
func TestZSetWrongType(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("k")
	s.set(0, "k", "text")
	s.update(0, func(tx *Tx) {
		for name, run := range map[string]func(z ZSet) error{
			"Find":         func(z ZSet) error { _, err := z.Find(key); return err },
			"FindToChange": func(z ZSet) error { _, err := z.FindToChange(key); return err },
			"Add":          func(z ZSet) error { _, _, err := z.Add(key, []Scored{{key, 1}}, ZAddOptions{}); return err },
			"IncrBy":       func(z ZSet) error { _, _, err := z.IncrBy(key, key, 1, ZAddOptions{}); return err },
			"Rem":          func(z ZSet) error { _, err := z.Rem(key, [][]byte{key}); return err },
			"RemoveRange":  func(z ZSet) error { _, err := z.RemoveRange(key, &ZRange{}, "x"); return err },
			"StoreRange":   func(z ZSet) error { _, err := z.StoreRange(key, key, &ZRange{}); return err },
		} {
			if err := run(tx.ZSet()); !errors.Is(err, ErrWrongType) {
				t.Errorf("%s: %v, want %v", name, err, ErrWrongType)
			}
		}
	})
	s.want(0, "k", "text")
}

// TestDamagedZSet: scores that no command writes are errors, never numbers.
func TestDamagedZSet(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("k")
	nan := append([]byte("\x01a\x08"), bytes.Repeat([]byte{0xff}, scoreBytes)...)
	s.update(0, func(tx *Tx) {
		for _, value := range [][]byte{[]byte("\x01a\x01b"), nan} {
			putRaw(t, tx, tagZSet, value)
			z, err := tx.ZSet().Find(key)
			if err != nil {
				t.Fatal(err)
			}
			_, _, scoreErr := z.Score([]byte("a"))
			_, _, _, rankErr := z.Rank([]byte("a"), false)
			eachErr := z.Each(Span{Hi: 1}, func([]byte, float64) error { t.Error("a member was met"); return nil })
			_, _, addErr := tx.ZSet().Add(key, []Scored{{[]byte("a"), 1}}, ZAddOptions{})
			_, _, incrErr := tx.ZSet().IncrBy(key, []byte("a"), 1, ZAddOptions{})
			for i, err := range []error{scoreErr, rankErr, eachErr, addErr, incrErr} {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%q: %d: %v", value, i, err)
				}
			}
		}
	})
}

func benchmarkZSet(b *testing.B, n int, run func(z ZSet, key, member []byte, i int)) {
	b.Helper()
	s := openTest(b, Options{})
	bigZSet(b, s, "z", n)
	var set ShardSet
	key := []byte("z")
	s.AddKey(&set, key)
	names := make([][]byte, n)
	for i := range names {
		names[i] = fmt.Appendf(nil, "m%d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tx := s.Begin(&set, true, 0)
		run(tx.ZSet(), key, names[i%n], i)
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkZSet(b *testing.B) {
	for _, n := range []int{10, 100, 100_000} {
		b.Run(fmt.Sprintf("ZADD/%d", n), func(b *testing.B) {
			benchmarkZSet(b, n, func(z ZSet, key, member []byte, i int) {
				one := [1]Scored{{member, float64(i * 7919 % n)}}
				if _, _, err := z.Add(key, one[:], ZAddOptions{}); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(fmt.Sprintf("ZRANK/%d", n), func(b *testing.B) {
			benchmarkZSet(b, n, func(z ZSet, key, member []byte, _ int) {
				s, err := z.Find(key)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, ok, err := s.Rank(member, false); !ok || err != nil {
					b.Fatal(ok, err)
				}
			})
		})
	}
}
