package types

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sourcesOf makes n sources of up to size members, sorted sets and Sets, and
// returns them as models.
func sourcesOf(t *rapid.T, s *testStore) (keys [][]byte, models []map[string]float64) {
	n := rapid.IntRange(1, 4).Draw(t, "sources")
	scores := []float64{0, 1, -1, 0.1, 0.2, 0.3, 1e300, math.Inf(1)}
	s.update(0, func(tx *Tx) {
		for i := range n {
			key, model := fmt.Appendf(nil, "s%d", i), map[string]float64{}
			tag := rapid.SampledFrom([]uint8{tagSet, tagZSet, tagZSet}).Draw(t, "type")
			size := rapid.SampledFrom([]int{0, 1, 5, 100, 129, 300}).Draw(t, "size")
			tx.Keyspace().Del(key)
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			for j := range size {
				if r.IntN(3) == 0 {
					continue
				}
				score := 1.0
				if tag == tagZSet {
					score = scores[r.IntN(len(scores))]
				}
				model[fmt.Sprintf("m%d", j)] = score
			}
			writeSource(s.tb, tx, key, tag, model)
			keys, models = append(keys, key), append(models, model)
		}
	})
	return keys, models
}

func writeSource(tb testing.TB, tx *Tx, key []byte, tag uint8, model map[string]float64) {
	tb.Helper()
	if tag == tagZSet {
		var list []Scored
		for member, score := range model {
			list = append(list, Scored{[]byte(member), score})
		}
		if _, _, err := tx.ZSet().Add(key, list, ZAddOptions{}); err != nil {
			tb.Fatal(err)
		}
		return
	}
	c := tx.create(key, tagSet)
	for member := range model {
		if _, err := c.put([]byte(member), nil); err != nil {
			tb.Fatal(err)
		}
	}
	if err := c.replace("sadd"); err != nil {
		tb.Fatal(err)
	}
}

// TestZSetOperations compares with the same said over maps. Sums are compared up to
// rounding, whose order is another one here.
func TestZSetOperations(t *testing.T) {
	s := openTest(t, Options{})
	rapid.Check(t, func(rt *rapid.T) {
		keys, models := sourcesOf(rt, s)
		weights := make([]float64, len(keys))
		for i := range weights {
			weights[i] = rapid.SampledFrom([]float64{1, 1, 3, 2, 0.5}).Draw(rt, "weight")
		}
		a := rapid.SampledFrom([]Aggregate{AggregateSum, AggregateMin, AggregateMax}).Draw(rt, "aggregate")
		union, inter, diff := map[string]float64{}, map[string]float64{}, map[string]float64{}
		counts := map[string]int{}
		for i, model := range models {
			for member, score := range model {
				score = zeroIfNaN(score * weights[i])
				old, ok := union[member]
				if counts[member]++; ok {
					score = a.of(old, score)
				}
				union[member] = score
				if i == 0 {
					diff[member] = score
				} else {
					delete(diff, member)
				}
			}
		}
		for member, n := range counts {
			if n == len(models) {
				inter[member] = union[member]
			}
		}
		var err error
		s.update(0, func(tx *Tx) { err = checkOperations(t, tx, keys, weights, a, union, inter, diff) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// checkOperations compares the results of all operations with what they should be.
func checkOperations(tb testing.TB, tx *Tx, keys [][]byte, weights []float64, a Aggregate, union, inter, diff map[string]float64) error {
	tb.Helper()
	for _, tt := range []struct {
		name string
		op   func(o *ZSources) ([]Scored, error)
		want map[string]float64
	}{
		{"union", func(o *ZSources) ([]Scored, error) { return o.Union(a) }, union},
		{"inter", func(o *ZSources) ([]Scored, error) { return o.Inter(a) }, inter},
		{"diff", (*ZSources).Diff, diff},
	} {
		o := weighed(tb, tx, keys, weights)
		list, err := tt.op(&o)
		if err != nil {
			return err
		}
		if err := compareScored(list, tt.want); err != nil {
			return fmt.Errorf("%s: %w", tt.name, err)
		}
		if err := o.Store([]byte("result"), list, "zunionstore"); err != nil {
			return err
		}
		SortScored(list)
		for i := range list {
			list[i].Member = slices.Clone(list[i].Member)
		}
		got := zsetOf(tb, tx, "result", &ZRange{Stop: -1})
		for i := range got {
			if got[i].member != string(list[i].Member) {
				return fmt.Errorf("%s: member %d of the stored is %v, want %s", tt.name, i, got[i], list[i].Member)
			}
		}
	}
	for _, limit := range []int64{0, 1, 10, 1000} {
		o := weighed(tb, tx, keys, weights)
		want := int64(len(inter))
		if limit > 0 {
			want = min(want, limit)
		}
		if n, err := o.InterCard(limit); n != want || err != nil {
			return fmt.Errorf("InterCard(%d): %d, %w; want %d", limit, n, err, want)
		}
	}
	return nil
}

func weighed(tb testing.TB, tx *Tx, keys [][]byte, weights []float64) ZSources {
	tb.Helper()
	o, err := tx.ZSet().Sources(keys)
	if err != nil {
		tb.Fatal(err)
	}
	for i, w := range weights {
		o.SetWeight(i, w)
	}
	return o
}

func compareScored(got []Scored, want map[string]float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d members, want %d", len(got), len(want))
	}
	for _, m := range got {
		score, ok := want[string(m.Member)]
		if near := math.Abs(m.Score-score) <= 1e-9*math.Max(math.Abs(score), 1); !ok || m.Score != score && !near {
			return fmt.Errorf("%s has %v, want %v, %v", m.Member, m.Score, score, ok)
		}
	}
	return nil
}

// TestZSetStoreOverSource: the result replaces a source of either form.
func TestZSetStoreOverSource(t *testing.T) {
	s := openTest(t, Options{})
	for _, n := range []int{3, 300} {
		bigZSet(t, s, "z", n)
		s.update(0, func(tx *Tx) {
			o, err := tx.ZSet().Sources([][]byte{[]byte("z"), []byte("z")})
			if err != nil {
				t.Fatal(err)
			}
			list, err := o.Union(AggregateSum)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Store([]byte("z"), list, "zunionstore"); err != nil {
				t.Fatal(err)
			}
		})
		s.reopen()
		s.view(0, func(tx *Tx) {
			var want []scored
			for i := range n {
				want = append(want, scored{fmt.Sprintf("m%d", i), float64(2 * i)})
			}
			if got := zsetOf(t, tx, "z", &ZRange{Stop: -1}); !slices.Equal(got, want) {
				t.Errorf("%.300v, want %.300v", got, want)
			}
		})
	}
}

func TestZSourcesWrongType(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "k", "text")
	s.view(0, func(tx *Tx) {
		if _, err := tx.ZSet().Sources([][]byte{[]byte("nokey"), []byte("k")}); !errors.Is(err, ErrWrongType) {
			t.Error(err)
		}
	})
}
