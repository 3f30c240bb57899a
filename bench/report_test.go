package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample has everything that a table can have.
func sample() *table {
	return &table{
		Section: "part", Title: "Part & whole", Base: "Redis", Ours: "bitkv", Intro: "About it.",
		Columns: []column{{"throughput", "op/s"}, {"p99", "ms"}, {"size", "B"}},
		Rows: []row{
			{Name: "SET <1>", Command: "redis-benchmark -t set", Measured: "2026-01-02 abc", Cells: []cell{
				{Base: []float64{1000, 2000, 3000}, Ours: []float64{1500, 1000, 6000}, Bars: []bar{{Of: ofRatio, Least: true, Limit: 1, Floor: 0.8, Source: "issue 4"}}},
				{Base: []float64{0.5}, Ours: []float64{1.25}},
				{Ours: []float64{70}, Bars: []bar{valueAtMost(64)}},
			}},
			{Name: "GET", Measured: "2026-01-02 abc", Cells: []cell{
				{Base: []float64{10}, Ours: []float64{90}, Bars: []bar{atLeast(0.8), atLeast(9.5)}}, {}, {},
			}},
		},
	}
}

const sampleTable = `
## Part & whole

About it.

| | throughput op/s Redis | bitkv | ratio | bar | p99 ms Redis | bitkv | ratio | size B bitkv | bar |
|---|--:|--:|--:|---|--:|--:|--:|--:|---|
| SET <1> | 2000 | 1500 | **0.75** (0.50..2.00) | ≥ 1 not met, below 0.8 | 0.500 | 1.25 | **2.50** | 70.0 | ≤ 64 not met |
| GET | 10.0 | 90.0 | **9.00** | ≥ 0.8 met; ≥ 9.5 not met |  |  |  |  |  |
`

func TestTable(t *testing.T) {
	var out strings.Builder
	sample().markdown(&out)
	if out.String() != sampleTable {
		t.Errorf("the table is\n%s\nwant\n%s", out.String(), sampleTable)
	}
}

func TestPage(t *testing.T) {
	r := &results{Machine: []string{"memory: much"}, Tables: []*table{sample()}}
	page := r.page("benchmarks")
	for _, want := range []string{
		"- memory: much\n", sampleTable, "\nMeasured at 2026-01-02 abc.\n",
		"\n- issue 4: 0 of 1 met\n- other bars: 1 of 3 met\n",
		"\n| part: SET <1> throughput | issue 4 | ≥ 1 | 0.75 |\n", "\n| part: SET <1> size | other bars | ≤ 64 | 70.00 |\n",
		"](benchmarks/part-throughput.svg)\n", "- SET <1>: `redis-benchmark -t set`\n", "(profiles.md)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	r.Tables[0].Rows[1].Measured = "2025-12-31 def"
	if page := r.page("benchmarks"); !strings.Contains(page, "\nMeasured at 2026-01-02 abc: SET <1>.\n\nMeasured at 2025-12-31 def: GET.\n") {
		t.Errorf("the page does not say which rows are older:\n%s", page)
	}
}

func TestCharts(t *testing.T) {
	charts := sample().charts()
	if len(charts) != 1 || charts[0].name != "part-throughput" || len(charts[0].rows) != 2 {
		t.Fatalf("charts %+v, want one of the column with bars of ratios", charts)
	}
	for i, want := range []string{"missed", "missed"} {
		if got := charts[0].rows[i].state; got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
	svg := charts[0].svg()
	if !bytes.Equal(svg, charts[0].svg()) {
		t.Error("two drawings of one chart differ")
	}
	for _, want := range []string{"SET &lt;1&gt;", "Part &amp; whole", ">0.75<", "→ 9.00", "prefers-color-scheme:dark"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	rects := 0
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v\n%s", err, svg)
		}
		start, ok := token.(xml.StartElement)
		for _, a := range start.Attr {
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s has %s=%q", start.Name.Local, a.Name.Local, a.Value)
			}
		}
		if ok && start.Name.Local == "rect" {
			rects++
		}
	}
	if rects != 3 {
		t.Errorf("%d rectangles are drawn, want the page and two bars", rects)
	}
}

func TestMergeAndWrite(t *testing.T) {
	all := []*section{{name: "first", rows: []string{"a"}}, {name: "part", rows: []string{"GET", "SET <1>", "INCR"}}}
	report := filepath.Join(t.TempDir(), "docs", "benchmarks.md")
	if err := os.MkdirAll(resultsDir(report), 0o755); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(resultsDir(report), "old.svg")
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := readResults(report)
	if err != nil || len(r.Tables) != 0 {
		t.Fatalf("readResults of nothing = %+v, %v", r, err)
	}
	r.merge(sample(), all)
	if err := r.write(report); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("a plot that nothing names is still there")
	}
	if _, err := os.Stat(filepath.Join(resultsDir(report), "part-throughput.svg")); err != nil {
		t.Error(err)
	}

	// Another run measures one old row and a new one, and a section before it.
	r, err = readResults(report)
	if err != nil {
		t.Fatal(err)
	}
	again := sample()
	again.Rows = []row{{Name: "INCR", Cells: make([]cell, 3)}, {Name: "SET <1>", Measured: "later", Cells: make([]cell, 3)}}
	r.merge(again, all)
	r.merge(&table{Section: "first", Columns: []column{{}}, Rows: []row{{Name: "a", Cells: make([]cell, 1)}}}, all)
	var names []string
	for _, tab := range r.Tables {
		for _, row := range tab.Rows {
			names = append(names, tab.Section+" "+row.Name+" "+row.Measured)
		}
	}
	want := []string{"first a ", "part GET 2026-01-02 abc", "part SET <1> later", "part INCR "}
	if !slices.Equal(names, want) {
		t.Errorf("after the second run the rows are %q, want %q", names, want)
	}

	// Other columns: the old rows do not fit. A section that is no more goes, too.
	r.merge(&table{Section: "part", Columns: []column{{"other", ""}}, Rows: []row{{Name: "GET", Cells: make([]cell, 1)}}}, all[1:])
	if len(r.Tables) != 1 || len(r.Tables[0].Rows) != 1 {
		t.Errorf("tables %+v, want only the new row", r.Tables)
	}
}

func TestReadResultsRefusesOthers(t *testing.T) {
	report := filepath.Join(t.TempDir(), "b.md")
	if err := os.MkdirAll(resultsDir(report), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"{", `{"tables":[{"section":"s","columns":[{"name":"a"}],"rows":[{"name":"r","cells":[]}]}]}`} {
		if err := os.WriteFile(resultsFile(report), []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := readResults(report); err == nil {
			t.Errorf("readResults of %s = %+v, want an error", bad, r)
		}
	}
}
