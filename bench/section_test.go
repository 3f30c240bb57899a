package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		terms, name string
		want        bool
	}{
		{"lpush", "collections LPUSH -P 16", true},
		{"LPUSH", "collections LPUSH -P 16", true},
		{"push", "collections LPUSH -P 16", false},
		{"lrange", "collections LRANGE_100 -P 1", true},
		{"set", "collections HSET -P 1", false},
		{"collections 1", "collections LPUSH -P 16", false},
		{"collections 16", "collections LPUSH -P 16", true},
		{"get,rpop", "collections RPOP -P 1", true},
		{"get, rpop", "collections RPOP -P 1", true},
		{"get,", "collections RPOP -P 1", false},
		{"strings set 64 1", "strings SET 64 B -P 1", true},
	} {
		if got := matches(tc.terms, tc.name); got != tc.want {
			t.Errorf("matches(%q, %q) = %v, want %v", tc.terms, tc.name, got, tc.want)
		}
	}
}

func TestSelected(t *testing.T) {
	s := &section{name: "s", rows: []string{"a", "b", "c"}, short: []string{"b"}}
	for _, tc := range []struct {
		o    options
		want []string
	}{
		{options{}, []string{"b"}},
		{options{full: true}, []string{"a", "b", "c"}},
		{options{only: "c"}, []string{"c"}},
		{options{only: "s"}, []string{"a", "b", "c"}},
		{options{only: "x"}, nil},
	} {
		if got := s.selected(tc.o); !slices.Equal(got, tc.want) {
			t.Errorf("selected(%+v) = %q, want %q", tc.o, got, tc.want)
		}
	}
}

// TestSections: a name stands for one row, and the short form has rows that exist.
func TestSections(t *testing.T) {
	names, short := map[string]bool{}, 0
	for _, s := range sections() {
		if s.name == "" || s.run == nil || s.cost <= 0 || len(s.rows) == 0 || names[s.name] {
			t.Errorf("section %q: no name, or a second of the name, or no rows, run or cost", s.name)
		}
		names[s.name] = true
		for i, row := range s.rows {
			if slices.Index(s.rows, row) != i {
				t.Errorf("%s: two rows are called %q", s.name, row)
			}
		}
		for _, row := range s.short {
			if !slices.Contains(s.rows, row) {
				t.Errorf("%s: the short form has %q, which is no row", s.name, row)
			}
		}
		short += len(s.short)
	}
	if short == 0 {
		t.Error("the short form has no rows")
	}
}

func TestSectionsFailApart(t *testing.T) {
	broken := errors.New("broken")
	run := func(name string, err error) *section {
		return &section{name: name, rows: []string{"row", "other"}, cost: time.Second, run: func(_ context.Context, e *env) (*table, error) {
			if !e.wants("row") || e.wants("none") {
				t.Errorf("%s: wants says the wrong thing", name)
			}
			out := &table{Columns: []column{{"a", "b"}}}
			out.add(row{Name: "row", Cells: []cell{{}}})
			out.add(row{Name: "other"}) // without a cell for its column
			return out, err
		}}
	}
	nothing := run("nothing", nil)
	nothing.run = func(context.Context, *env) (*table, error) { return nil, broken }
	var seen []string
	err := runSections(context.Background(), options{full: true, rounds: 1, duration: 1}, t.TempDir(),
		[]*section{run("first", nil), nothing, run("half", broken), run("last", nil)}, func(got *table) error {
			seen = append(seen, got.Section)
			if len(got.Rows) != 1 {
				t.Errorf("%s has %d rows, want 1: the other has no cells", got.Section, len(got.Rows))
			}
			return nil
		})
	if want := []string{"first", "half", "last"}; !slices.Equal(seen, want) {
		t.Errorf("tables of %q, want %q", seen, want)
	}
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "nothing: ") || !strings.Contains(err.Error(), "half: ") {
		t.Errorf("error %v, want one that names nothing and half", err)
	}
	if !strings.Contains(err.Error(), "last: other has 0 cells for 1 columns") {
		t.Errorf("error %v does not name the row without cells", err)
	}
	if err := runSections(context.Background(), options{only: "nosuch"}, t.TempDir(), sections(), nil); err == nil {
		t.Error("a name that no row has gives no error")
	}
}

func TestNoSectionAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	first := &section{name: "first", rows: []string{"a"}, cost: 1, run: func(context.Context, *env) (*table, error) {
		cancel()
		return &table{}, nil
	}}
	second := &section{name: "second", rows: []string{"a"}, cost: 1, run: func(context.Context, *env) (*table, error) {
		t.Error("the second section runs after the time is over")
		return nil, nil
	}}
	err := runSections(ctx, options{full: true}, t.TempDir(), []*section{first, second}, func(*table) error { return nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "second: not run") {
		t.Errorf("error %v, want that the second was not run", err)
	}
}

func TestClock(t *testing.T) {
	begun := time.Unix(0, 0)
	now := begun
	c := &clock{begun: begun, now: func() time.Time { return now }, total: 100 * time.Second, section: "s"}
	if got := c.left(); got != 100*time.Second {
		t.Errorf("at the start %v are left, want the estimate", got)
	}
	now = begun.Add(40 * time.Second)
	if got := c.left(); got != time.Minute {
		t.Errorf("after 40 s %v are left, want 1m", got)
	}
	c.finish(20 * time.Second) // took twice its estimate
	if got := c.left(); got != 160*time.Second {
		t.Errorf("%v are left, want 160 s: 80 s at half the pace", got)
	}
	if got := c.String(); got != "[40s, 2m40s to go] s:" {
		t.Errorf("String = %q", got)
	}
	now = begun.Add(time.Hour)
	if got := c.left(); got != 0 {
		t.Errorf("after an hour %v are left, want 0", got)
	}
}

func TestEstimate(t *testing.T) {
	s := &section{name: "s", rows: []string{"a", "b", "c", "d"}, cost: time.Minute}
	for _, tc := range []struct {
		name  string
		sized bool
		o     options
		want  time.Duration
	}{
		{"all rows", false, options{full: true, rounds: 1, duration: time.Second}, time.Minute},
		{"a quarter", false, options{only: "b", rounds: 1, duration: time.Second}, 15 * time.Second},
		{"as long as -full", true, options{full: true, rounds: 5, duration: 1500 * time.Millisecond}, time.Minute},
		{"shorter runs", true, options{full: true, rounds: 5, duration: 150 * time.Millisecond}, 6 * time.Second},
	} {
		s.sized = tc.sized
		if got := s.estimate(tc.o); got.Round(time.Millisecond) != tc.want {
			t.Errorf("%s: estimate = %v, want %v", tc.name, got, tc.want)
		}
	}
}
