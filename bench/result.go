package main

import (
	"fmt"
	"math"
	"slices"
)

// table is what a section measured.
type table struct {
	Section string   `json:"section"` // set by the harness
	Title   string   `json:"title"`
	Intro   string   `json:"intro,omitempty"` // a paragraph above the table
	Base    string   `json:"base"`            // what we compare with: Redis, mostly
	Ours    string   `json:"ours"`
	Columns []column `json:"columns"`
	Rows    []row    `json:"rows"`
}

// column is a quantity that was measured, and its unit: throughput, op/s.
type column struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
}

// row has a cell for each column of its table.
type row struct {
	Name     string `json:"name"`
	Command  string `json:"command,omitempty"`  // what to type to run it by hand
	Measured string `json:"measured,omitempty"` // when and at what commit; set by the harness
	Cells    []cell `json:"cells"`
}

// cell is one quantity, once for each round. Base is empty for a quantity that
// has nothing to be compared with; then only bars of its value make sense.
type cell struct {
	Base []float64 `json:"base,omitempty"`
	Ours []float64 `json:"ours,omitempty"`
	Bars []bar     `json:"bars,omitempty"`
}

// bar is what a cell has to reach: at least or at most the limit.
type bar struct {
	Of     quantity `json:"of"`
	Least  bool     `json:"least"` // at least Limit; otherwise at most
	Limit  float64  `json:"limit"`
	Floor  float64  `json:"floor,omitempty"`  // a second limit below the first that nothing may miss
	Source string   `json:"source,omitempty"` // where it is written
}

// quantity is which number of a cell a bar is about.
type quantity string

const (
	ofRatio      quantity = "ratio"      // ours to base, of the medians
	ofValue      quantity = "value"      // ours
	ofDifference quantity = "difference" // ours minus base
)

// atLeast is a bar for the ratio of ours to base.
func atLeast(limit float64) bar { return bar{Of: ofRatio, Least: true, Limit: limit} }

// atMost is a bar for the ratio of ours to base.
func atMost(limit float64) bar { return bar{Of: ofRatio, Limit: limit} }

// valueAtMost is a bar for our figure by itself.
func valueAtMost(limit float64) bar { return bar{Of: ofValue, Limit: limit} }

// valueAtLeast is a bar for our figure by itself.
func valueAtLeast(limit float64) bar { return bar{Of: ofValue, Least: true, Limit: limit} }

// differenceAtLeast is a bar for our figure minus base's.
func differenceAtLeast(limit float64) bar { return bar{Of: ofDifference, Least: true, Limit: limit} }

func (t *table) add(r row) { t.Rows = append(t.Rows, r) }

// median is NaN for no figures.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(figures))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// percentile is the smallest figure that at least this share of all do not
// exceed: 0.99 for p99. It is NaN for no figures.
func percentile(figures []float64, share float64) float64 {
	if len(figures) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(figures))
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// ratio is ours to base, of the medians; NaN if there is no base.
func (c cell) ratio() float64 { return median(c.Ours) / median(c.Base) }

// spread is the least and the greatest ratio of a round. It is NaN unless both
// sides have a figure for every round.
func (c cell) spread() (least, greatest float64) {
	if len(c.Base) != len(c.Ours) || len(c.Base) == 0 {
		return math.NaN(), math.NaN()
	}
	least, greatest = math.Inf(1), math.Inf(-1)
	for i := range c.Base {
		r := c.Ours[i] / c.Base[i]
		least, greatest = min(least, r), max(greatest, r)
	}
	return least, greatest
}

// of is the number a bar is about.
func (c cell) of(q quantity) float64 {
	switch q {
	case ofValue:
		return median(c.Ours)
	case ofDifference:
		return median(c.Ours) - median(c.Base)
	default:
		return c.ratio()
	}
}

// met reports whether the cell reaches the bar. What was not measured does not.
func (b bar) met(c cell) bool { return b.reaches(c.of(b.Of), b.Limit) }

func (b bar) reaches(v, limit float64) bool {
	if b.Least {
		return v >= limit
	}
	return v <= limit
}

// verdict is "met", "not met", or that it is not even at the floor.
func (b bar) verdict(c cell) string {
	v := c.of(b.Of)
	switch {
	case math.IsNaN(v):
		return "not measured"
	case b.met(c):
		return "met"
	case b.Floor != 0 && !b.reaches(v, b.Floor):
		return fmt.Sprintf("not met, below %g", b.Floor)
	}
	return "not met"
}

// String is the bar as its table shows it: ≥ 0.8.
func (b bar) String() string {
	s := pick(b.Least, "≥ ", "≤ ") + fmt.Sprint(b.Limit)
	if b.Of == ofDifference {
		s += " apart"
	}
	return s
}
