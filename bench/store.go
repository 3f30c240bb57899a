package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// results are the tables of a report, and where they were measured.
type results struct {
	Machine []string `json:"machine"`
	Tables  []*table `json:"tables"`
}

// resultsDir is where the plots and the figures of a report go: beside it, in a
// directory of its name.
func resultsDir(report string) string { return strings.TrimSuffix(report, filepath.Ext(report)) }

func resultsFile(report string) string { return filepath.Join(resultsDir(report), "results.json") }

// readResults returns what an earlier run has written for this report: nothing if
// there was none.
func readResults(report string) (*results, error) {
	data, err := os.ReadFile(resultsFile(report))
	if errors.Is(err, fs.ErrNotExist) {
		return &results{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", resultsFile(report), err)
	}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if len(row.Cells) != len(t.Columns) {
				return nil, fmt.Errorf("%s: %s: %s has %d cells for %d columns", resultsFile(report), t.Section, row.Name, len(row.Cells), len(t.Columns))
			}
		}
	}
	return r, nil
}

// merge puts a new table in the place of the section's old one, and keeps those
// of the old rows that were not measured again and that the section still has.
// Tables and rows are in the order of the sections.
func (r *results) merge(t *table, all []*section) {
	order := func(name string) int {
		return slices.IndexFunc(all, func(s *section) bool { return s.name == name })
	}
	r.Tables = slices.DeleteFunc(r.Tables, func(old *table) bool {
		if old.Section == t.Section && slices.Equal(old.Columns, t.Columns) {
			t.keep(old.Rows)
		}
		return old.Section == t.Section || order(old.Section) < 0
	})
	if i := order(t.Section); i >= 0 {
		rank := func(name string) int { return slices.Index(all[i].rows, name) }
		t.Rows = slices.DeleteFunc(t.Rows, func(row row) bool { return rank(row.Name) < 0 })
		slices.SortStableFunc(t.Rows, func(a, b row) int { return rank(a.Name) - rank(b.Name) })
	}
	r.Tables = append(r.Tables, t)
	slices.SortStableFunc(r.Tables, func(a, b *table) int { return order(a.Section) - order(b.Section) })
}

// keep adds the old rows that the table does not have.
func (t *table) keep(old []row) {
	for _, o := range old {
		if !slices.ContainsFunc(t.Rows, func(r row) bool { return r.Name == o.Name }) {
			t.Rows = append(t.Rows, o)
		}
	}
}

// write writes the report, its figures and its plots.
func (r *results) write(report string) error {
	dir := resultsDir(report)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(resultsFile(report), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := r.writePlots(dir); err != nil {
		return err
	}
	return os.WriteFile(report, []byte(r.page(filepath.Base(dir))), 0o644)
}

// writePlots writes the plots, and removes those that there are no more.
func (r *results) writePlots(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return err
	}
	for _, t := range r.Tables {
		for _, c := range t.charts() {
			file := filepath.Join(dir, c.name+".svg")
			if err := os.WriteFile(file, c.svg(), 0o644); err != nil {
				return err
			}
			old = slices.DeleteFunc(old, func(o string) bool { return o == file })
		}
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}
