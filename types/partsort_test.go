package types

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortWindow(t *testing.T) {
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	shapes := map[string]func(i, n int) int{
		"random":     func(_, _ int) int { return random.Int() },
		"few values": func(_, _ int) int { return random.IntN(3) },
		"ascending":  func(i, _ int) int { return i },
		"descending": func(i, _ int) int { return -i },
		"organ":      func(i, n int) int { return min(i, n-i) },
	}
	for name, shape := range shapes {
		for _, n := range []int{0, 1, 2, 3, sortFew - 1, sortFew, sortFew + 1, sortMany, sortMany + 1, 100, 3000} {
			items := make([]int, n)
			for i := range items {
				items[i] = shape(i, n)
			}
			want := slices.Sorted(slices.Values(items))
			for range 20 {
				from := random.IntN(n + 1)
				to := from + random.IntN(n-from+1)
				if random.IntN(2) == 0 {
					to = min(to, from+10)
				}
				got, compared := slices.Clone(items), 0
				sortWindow(got, from, to, func(a, b *int) int {
					compared++
					return cmp.Compare(*a, *b)
				})
				if !slices.Equal(got[from:to], want[from:to]) {
					t.Fatalf("seed %d, %s, %d items, from %d to %d: %v, want %v", seed, name, n, from, to, got[from:to], want[from:to])
				}
				if to-from <= 10 && n == 3000 && compared > 12*n {
					t.Errorf("seed %d, %s: %d comparisons for %d of %d items", seed, name, compared, to-from, n)
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Fatalf("seed %d, %s, %d items, from %d to %d: it has other items now", seed, name, n, from, to)
				}
			}
		}
	}
}

// TestSortWindowTies: what compares as equal comes in the order in which Redis
// returned it for SORT BY w_* ALPHA LIMIT of the numbers from 0.
func TestSortWindowTies(t *testing.T) {
	for _, tt := range []struct {
		n, from, to int
		weight      func(i int) int
		want        []int
	}{
		{20, 0, 10, func(i int) int { return i % 3 }, []int{0, 15, 9, 3, 12, 18, 6, 19, 1, 4}},
		{20, 5, 15, func(i int) int { return i % 3 }, []int{18, 6, 19, 1, 4, 7, 10, 13, 16, 14}},
		{120, 40, 50, func(i int) int { return i * 7 % 5 }, []int{113, 28, 83, 43, 78, 73, 18, 48, 36, 101}},
		// In a first division nothing is moved, which is no sign of order.
		{7, 0, 2, func(i int) int { return []int{1, 2, 2, 3, 2, 2, 1}[i] }, []int{6, 0}},
	} {
		items := make([]int, tt.n)
		for i := range items {
			items[i] = i
		}
		sortWindow(items, tt.from, tt.to, func(a, b *int) int { return cmp.Compare(tt.weight(*a), tt.weight(*b)) })
		if got := items[tt.from:tt.to]; !slices.Equal(got, tt.want) {
			t.Errorf("%d items, from %d to %d: got %v, want %v", tt.n, tt.from, tt.to, got, tt.want)
		}
	}
}

// killer compares numbers whose values are settled as it is asked, in the way that
// makes a quicksort slow (McIlroy, A Killer Adversary for Quicksort, 1999).
type killer struct {
	values    []int // by number; len(values): not settled
	settled   int
	candidate int
	compared  int
}

func (k *killer) compare(a, b *int) int {
	open := len(k.values)
	k.compared++
	if k.values[*a] == open && k.values[*b] == open {
		one := *a
		if *a != k.candidate {
			one = *b
		}
		k.values[one] = k.settled
		k.settled++
	}
	switch {
	case k.values[*a] == open:
		k.candidate = *a
	case k.values[*b] == open:
		k.candidate = *b
	}
	return cmp.Compare(k.values[*a], k.values[*b])
}

// TestSortWindowKiller: no order of the items makes it quadratic.
func TestSortWindowKiller(t *testing.T) {
	const n = 1 << 14
	for _, window := range [][2]int{{0, n}, {0, 10}, {n - 10, n}, {n / 2, n/2 + 10}} {
		k := killer{values: slices.Repeat([]int{n}, n)}
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		sortWindow(items, window[0], window[1], k.compare)
		if limit := 8 * n * bits.Len(n); k.compared > limit {
			t.Errorf("window %v: %d comparisons of %d items, over %d", window, k.compared, n, limit)
		}
		part := items[window[0]:window[1]]
		if !slices.IsSortedFunc(part, func(a, b int) int { return cmp.Compare(k.values[a], k.values[b]) }) {
			t.Errorf("window %v is not sorted", window)
		}
	}
}
