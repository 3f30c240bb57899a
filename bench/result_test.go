package main

import (
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []float64
		want float64
	}{
		{"none", nil, math.NaN()},
		{"one", []float64{7}, 7},
		{"odd, unsorted", []float64{9, 1, 5}, 5},
		{"even: between the middle two", []float64{4, 1, 100, 2}, 3},
	} {
		in := append([]float64(nil), tc.in...)
		if got := median(in); !same(got, tc.want) {
			t.Errorf("%s: median = %v, want %v", tc.name, got, tc.want)
		}
		for i := range in {
			if in[i] != tc.in[i] {
				t.Errorf("%s: median has reordered its argument: %v", tc.name, in)
			}
		}
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, tc := range []struct {
		name  string
		in    []float64
		share float64
		want  float64
	}{
		{"none", nil, 0.99, math.NaN()},
		{"one", []float64{3}, 0.99, 3},
		{"p99 of 1..100", hundred, 0.99, 99},
		{"p50 of 1..100", hundred, 0.5, 50},
		{"p99.9 of 1..100", hundred, 0.999, 100},
		{"p0", hundred, 0, 1},
	} {
		if got := percentile(tc.in, tc.share); !same(got, tc.want) {
			t.Errorf("%s: percentile = %v, want %v", tc.name, got, tc.want)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestCellRatio(t *testing.T) {
	c := cell{Base: []float64{100, 300, 200}, Ours: []float64{150, 300, 100}}
	if got := c.ratio(); got != 0.75 {
		t.Errorf("ratio = %v, want 0.75: of the medians 150 and 200", got)
	}
	if least, greatest := c.spread(); least != 0.5 || greatest != 1.5 {
		t.Errorf("spread = %v..%v, want 0.5..1.5: of each round", least, greatest)
	}
	uneven := cell{Base: []float64{1}, Ours: []float64{1, 2}}
	if least, greatest := uneven.spread(); !math.IsNaN(least) || !math.IsNaN(greatest) {
		t.Errorf("spread of uneven rounds = %v..%v, want NaN", least, greatest)
	}
}

func TestBarVerdict(t *testing.T) {
	eight := cell{Base: []float64{10}, Ours: []float64{8}}
	floor := bar{Of: ofRatio, Least: true, Limit: 0.9, Floor: 0.85}
	for _, tc := range []struct {
		name string
		bar  bar
		cell cell
		text string
		want string
	}{
		{"ratio reached exactly", atLeast(0.8), eight, "≥ 0.8", "met"},
		{"ratio missed", atLeast(0.81), eight, "≥ 0.81", "not met"},
		{"ratio at most, reached", atMost(0.8), eight, "≤ 0.8", "met"},
		{"ratio at most, missed", atMost(0.7), eight, "≤ 0.7", "not met"},
		{"below the floor", floor, eight, "≥ 0.9", "not met, below 0.85"},
		{"above the floor", bar{Of: ofRatio, Least: true, Limit: 0.9, Floor: 0.6}, eight, "≥ 0.9", "not met"},
		{"value", valueAtMost(8), eight, "≤ 8", "met"},
		{"value missed", valueAtLeast(9), eight, "≥ 9", "not met"},
		{"difference", differenceAtLeast(-2), eight, "≥ -2 apart", "met"},
		{"difference missed", differenceAtLeast(-1), eight, "≥ -1 apart", "not met"},
		{"no base", atLeast(1), cell{Ours: []float64{5}}, "≥ 1", "not measured"},
		{"nothing", valueAtMost(1), cell{}, "≤ 1", "not measured"},
	} {
		if got := tc.bar.verdict(tc.cell); got != tc.want {
			t.Errorf("%s: verdict = %q, want %q", tc.name, got, tc.want)
		}
		if got, want := tc.bar.met(tc.cell), tc.want == "met"; got != want {
			t.Errorf("%s: met = %v, want %v", tc.name, got, want)
		}
		if got := tc.bar.String(); got != tc.text {
			t.Errorf("%s: String = %q, want %q", tc.name, got, tc.text)
		}
	}
}
