package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// results are the tables of a report, and where they were measured.
type results struct {
	Machine []string `json:"machine"`
	Tables  []*table `json:"tables"`
}

func (r *results) add(t *table) { r.Tables = append(r.Tables, t) }

// machineInfo says where the figures were measured.
func machineInfo(ctx context.Context, o options) []string {
	info := []string{
		"date: " + time.Now().UTC().Format(time.DateOnly),
		fmt.Sprintf("processors: %d, %s", runtime.NumCPU(), procField("/proc/cpuinfo", "model name")),
		"memory: " + procField("/proc/meminfo", "MemTotal"),
		"go: " + runtime.Version(),
	}
	for _, cmd := range [][]string{{"uname", "-sr"}, {o.redis, "--version"}, {"git", "describe", "--always", "--dirty"}} {
		if out, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output(); err == nil {
			info = append(info, cmd[0]+": "+strings.TrimSpace(string(out)))
		}
	}
	return info
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

// markdown is the tables.
func (r *results) markdown() string {
	var out strings.Builder
	for _, line := range r.Machine {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	for _, t := range r.Tables {
		t.markdown(&out)
	}
	return out.String()
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
