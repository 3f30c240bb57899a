package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machineInfo says where the figures were measured.
func machineInfo(ctx context.Context, o options) []string {
	info := []string{
		fmt.Sprintf("processors: %d, %s", runtime.NumCPU(), procField("/proc/cpuinfo", "model name")),
		"memory: " + procField("/proc/meminfo", "MemTotal"),
		"go: " + runtime.Version(),
		"load average before the first run: " + loadAverage(),
	}
	for _, cmd := range [][]string{{"uname", "-sr"}, {o.redis, "--version"}} {
		if out, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output(); err == nil {
			info = append(info, cmd[0]+": "+strings.TrimSpace(string(out)))
		}
	}
	return info
}

// loadAverage is how many processes wanted to run in the last minute: much more
// than 0 means that other work disturbed the figures.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	average, _, ok := strings.Cut(string(data), " ")
	if err != nil || !ok {
		return "unknown"
	}
	return average
}

// measured says when and at which commit of this repository.
func measured(ctx context.Context) string {
	text := time.Now().UTC().Format(time.DateOnly)
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		text += " " + strings.TrimSpace(string(out))
	}
	return text
}

// procField returns what follows a name and a colon in a file of /proc.
func procField(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// text is what is printed: the machine, the tables and how many bars are met.
func (r *results) text() string {
	var out strings.Builder
	for _, line := range r.Machine {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	for _, t := range r.Tables {
		t.markdown(&out)
	}
	r.summary(&out)
	return out.String()
}

// page is the whole page of docs: the same, and how it was measured, with plots,
// which are in the directory.
func (r *results) page(dir string) string {
	var out strings.Builder
	out.WriteString(pageHead)
	for _, line := range r.Machine {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	r.summary(&out)
	for _, t := range r.Tables {
		t.markdown(&out)
		t.provenance(&out)
		for _, c := range t.charts() {
			fmt.Fprintf(&out, "\n![%s](%s/%s.svg)\n", c.title, dir, c.name)
		}
	}
	r.commands(&out)
	return out.String()
}

const pageHead = `# Benchmarks

Written by ` + "`make bench-full`" + `, which measures this server beside redis-server, on one machine with the clients: both run,
one of them is loaded, then the other, for several rounds. Redis runs with appendonly yes, and both sync every second, unless
a table says otherwise. Figures are medians of the rounds; a ratio is ours to Redis's (or to what the column names), of the
medians, with the least and the greatest ratio of a round. For throughput more is better; for processor time, latency,
memory and disk less. CPU is the server's user and system time. The bars are the project's own: issue 3 on collections,
issue 4 on speed and memory.

[profiles.md](profiles.md) says where the processor time and the memory go.

`

// provenance says which rows are not of the same run as the others.
func (t *table) provenance(out *strings.Builder) {
	by := map[string][]string{}
	var order []string
	for _, r := range t.Rows {
		if by[r.Measured] == nil {
			order = append(order, r.Measured)
		}
		by[r.Measured] = append(by[r.Measured], r.Name)
	}
	if len(order) == 1 {
		fmt.Fprintf(out, "\nMeasured at %s.\n", order[0])
		return
	}
	for _, measured := range order {
		fmt.Fprintf(out, "\nMeasured at %s: %s.\n", measured, strings.Join(by[measured], "; "))
	}
}

// summary counts the bars of each source, and lists those that are not met.
func (r *results) summary(out *strings.Builder) {
	type count struct{ met, all int }
	counts := map[string]*count{}
	var sources, missed []string
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			for i, c := range row.Cells {
				for _, b := range c.Bars {
					source := pick(b.Source == "", "other bars", b.Source)
					if counts[source] == nil {
						counts[source] = &count{}
						sources = append(sources, source)
					}
					counts[source].all++
					if b.met(c) {
						counts[source].met++
						continue
					}
					what := strings.TrimSpace(row.Name + " " + t.Columns[i].Name)
					missed = append(missed, fmt.Sprintf("| %s: %s | %s | %s | %s |", t.Section, what, source, b, b.figure(c)))
				}
			}
		}
	}
	if len(sources) == 0 {
		return
	}
	slices.Sort(sources)
	out.WriteString("\n## The bars\n\n")
	for _, source := range sources {
		fmt.Fprintf(out, "- %s: %d of %d met\n", source, counts[source].met, counts[source].all)
	}
	if len(missed) > 0 {
		fmt.Fprintf(out, "\n| not met | by | bar | measured |\n|---|---|---|--:|\n%s\n", strings.Join(missed, "\n"))
	}
}

// figure is the number the bar is about, as text.
func (b bar) figure(c cell) string {
	if v := c.of(b.Of); !math.IsNaN(v) {
		return fmt.Sprintf("%.2f", v)
	}
	return "not measured"
}

// commands lists what the rows ran, for doing it by hand.
func (r *results) commands(out *strings.Builder) {
	out.WriteString("\n## The commands\n\n`make bench` runs the most telling rows in under 5 minutes, `make bench-full` all of them, and\n" +
		"`make bench BENCH='-only lpush,rpop -rounds 5'` some. The rows that redis-benchmark measures, on port 6379:\n\n")
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if row.Command != "" {
				fmt.Fprintf(out, "- %s: `%s`\n", row.Name, row.Command)
			}
		}
	}
}

// markdown writes one table. A column has as many parts as its cells need: the
// base, its ratio and the bars are left out where no row has them.
func (t *table) markdown(out *strings.Builder) {
	fmt.Fprintf(out, "\n## %s\n\n", t.Title)
	if t.Intro != "" {
		fmt.Fprintf(out, "%s\n\n", t.Intro)
	}
	head, line := "| |", "|---|"
	for i, c := range t.Columns {
		unit := strings.TrimSpace(c.Name + " " + c.Unit)
		if t.hasBase(i) {
			head += fmt.Sprintf(" %s %s | %s | ratio |", unit, t.Base, t.Ours)
			line += "--:|--:|--:|"
		} else {
			head += fmt.Sprintf(" %s %s |", unit, t.Ours)
			line += "--:|"
		}
		if t.hasBars(i) {
			head += " bar |"
			line += "---|"
		}
	}
	fmt.Fprintf(out, "%s\n%s\n", head, line)
	for _, r := range t.Rows {
		fmt.Fprintf(out, "| %s |", r.Name)
		for i, c := range r.Cells {
			out.WriteString(c.markdown(t.hasBase(i), t.hasBars(i)))
		}
		out.WriteString("\n")
	}
}

func (t *table) hasBase(column int) bool {
	for _, r := range t.Rows {
		if len(r.Cells[column].Base) > 0 {
			return true
		}
	}
	return false
}

func (t *table) hasBars(column int) bool {
	for _, r := range t.Rows {
		if len(r.Cells[column].Bars) > 0 {
			return true
		}
	}
	return false
}

// markdown is the parts of a cell, each followed by a bar.
func (c cell) markdown(base, bars bool) string {
	var out string
	if base {
		out += fmt.Sprintf(" %s | %s | %s |", number(median(c.Base)), number(median(c.Ours)), c.ratioText())
	} else {
		out += fmt.Sprintf(" %s |", number(median(c.Ours)))
	}
	if bars {
		var texts []string
		for _, b := range c.Bars {
			texts = append(texts, fmt.Sprintf("%s %s", b, b.verdict(c)))
		}
		out += fmt.Sprintf(" %s |", strings.Join(texts, "; "))
	}
	return out
}

// ratioText is the ratio of the medians and, if there were rounds, the range.
func (c cell) ratioText() string {
	if math.IsNaN(c.ratio()) {
		return ""
	}
	text := fmt.Sprintf("**%.2f**", c.ratio())
	if least, greatest := c.spread(); len(c.Base) > 1 && !math.IsNaN(least) {
		text += fmt.Sprintf(" (%.2f..%.2f)", least, greatest)
	}
	return text
}

// number shows three digits, and whole numbers in full.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	case math.Abs(v) >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
