package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// chart is a picture of one column of a table: a bar for the ratio of each row,
// a line through its rounds, and a tick at what it has to reach.
type chart struct {
	name  string // of its file, without .svg
	title string
	rows  []chartRow
}

type chartRow struct {
	name            string
	ratio           float64
	least, greatest float64 // of the rounds; NaN if there are none
	limits          []float64
	state           string // met, missed, or none without a limit: the class that colours it
}

// charts are the pictures of a table: one for each column that has bars of ratios.
func (t *table) charts() []chart {
	var out []chart
	for i, column := range t.Columns {
		c := chart{name: t.Section, title: fmt.Sprintf("%s: %s, %s to %s", t.Title, column.Name, t.Ours, t.Base)}
		if column.Name == "" {
			c.title = fmt.Sprintf("%s: %s to %s", t.Title, t.Ours, t.Base)
		} else {
			c.name += "-" + strings.ReplaceAll(strings.ToLower(column.Name), " ", "-")
		}
		judged := false
		for _, r := range t.Rows {
			row := r.Cells[i].chartRow(r.Name)
			if math.IsNaN(row.ratio) || math.IsInf(row.ratio, 0) {
				continue
			}
			judged = judged || len(row.limits) > 0
			c.rows = append(c.rows, row)
		}
		if judged {
			out = append(out, c)
		}
	}
	return out
}

func (c cell) chartRow(name string) chartRow {
	r := chartRow{name: name, ratio: c.ratio(), state: "none"}
	r.least, r.greatest = c.spread()
	for _, b := range c.Bars {
		if b.Of != ofRatio {
			continue
		}
		r.limits = append(r.limits, b.Limit)
		switch {
		case !b.met(c):
			r.state = "missed"
		case r.state == "none":
			r.state = "met"
		}
	}
	return r
}

// The measures of a chart, in pixels.
const (
	letterWidth = 6.8 // of a label, about
	plotWidth   = 440
	valueWidth  = 60 // right of the longest bar, for its number
	rowHeight   = 18
	headHeight  = 52
	footHeight  = 26
	longestShow = 4.0 // greater ratios are cut off here, and say so
)

// style is for light pages, and for dark ones where the viewer says it is one. The
// chart brings its own page, for not every viewer says so.
const style = `
.page{fill:#fff}
text{font:12px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600;font-size:14px}
.small{font-size:11px;fill:#57606a}
.met{fill:#2da44e}.missed{fill:#d4723a}.none{fill:#8c959f}
.grid{stroke:#d0d7de}.one{stroke:#57606a;stroke-width:1.5}
.range{stroke:#24292f;stroke-width:1.5;opacity:.65}.limit{stroke:#0969da;stroke-width:2.5}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}
text{fill:#e6edf3}.small{fill:#9198a1}.grid{stroke:#3d444d}.one{stroke:#9198a1}
.met{fill:#3fb950}.missed{fill:#db8a4f}.none{fill:#6e7681}.range{stroke:#e6edf3}.limit{stroke:#58a6ff}}
`

// svg draws the chart. The same figures give the same bytes.
func (c chart) svg() []byte {
	longest := 1.2
	for _, r := range c.rows {
		for _, v := range append([]float64{r.ratio, r.greatest}, r.limits...) {
			if !math.IsNaN(v) {
				longest = max(longest, min(v, longestShow))
			}
		}
	}
	label := 0
	for _, r := range c.rows {
		label = max(label, int(letterWidth*float64(len(r.name)))+20)
	}
	chartWidth := label + plotWidth + valueWidth
	x := func(ratio float64) float64 { return float64(label) + plotWidth*min(ratio, longest)/longest }
	bottom := headHeight + rowHeight*len(c.rows)
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n",
		chartWidth, bottom+footHeight, chartWidth, bottom+footHeight)
	fmt.Fprintf(&out, "<title>%s</title>\n<style>%s</style>\n", escape(c.title), style)
	out.WriteString(`<rect class="page" width="100%" height="100%"/>` + "\n")
	fmt.Fprintf(&out, `<text class="title" x="8" y="20">%s</text>`+"\n", escape(c.title))
	out.WriteString(`<text class="small" x="8" y="38">bar: ratio of the medians; thin line: the rounds; blue tick: what it has to reach; green: reached</text>` + "\n")
	step := pick(longest > 2, 0.5, 0.25)
	for v := 0.0; v <= longest+1e-9; v += step {
		class := pick(v == 1, "one", "grid")
		fmt.Fprintf(&out, `<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, class, x(v), x(v), headHeight-4, bottom+2)
		fmt.Fprintf(&out, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x(v), bottom+16, v)
	}
	for i, r := range c.rows {
		r.draw(&out, headHeight+rowHeight*i, x, longest)
	}
	out.WriteString("</svg>\n")
	return []byte(out.String())
}

// draw draws one row whose upper edge is at y.
func (r chartRow) draw(out *strings.Builder, y int, x func(float64) float64, longest float64) {
	middle := float64(y) + rowHeight/2.0
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, x(0)-8, middle+4, escape(r.name))
	fmt.Fprintf(out, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, r.state, x(0), y+3, x(r.ratio)-x(0), rowHeight-6)
	end := r.ratio
	if !math.IsNaN(r.least) && r.least < r.greatest {
		fmt.Fprintf(out, `<line class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x(r.least), x(r.greatest), middle, middle)
		end = max(end, r.greatest)
	}
	for _, limit := range r.limits {
		fmt.Fprintf(out, `<line class="limit" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x(limit), x(limit), y+1, y+rowHeight-1)
		end = max(end, limit)
	}
	cut := pick(r.ratio > longest, "→ ", "")
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f">%s%.2f</text>`+"\n", x(end)+6, middle+4, cut, r.ratio)
}

// escape is text as XML wants it.
func escape(text string) string {
	var out strings.Builder
	if err := xml.EscapeText(&out, []byte(text)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return out.String()
}
