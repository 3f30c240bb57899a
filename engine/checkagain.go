package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Check may read a database that a server is using. A file that was listed may then be
// merged away, with its hint file, or be sealed and cut to its length, and the log may
// grow, between two reads of it. That is no damage, and what tells it from damage is
// that it does not stay: Check runs again, with the MANIFEST as it is then, until all
// that it found was found twice, in the same place and in the same words. A file that
// was found sealed and good is not read again, so that every further run is short, and
// nothing is read twice of a database that is good and at rest.

// maxCheckRuns bounds the runs. A database that is written all the time may look torn
// at another place each time; no such place is damaged.
const maxCheckRuns = 20

// Check reads every byte of the database in dir and reports every problem. It
// changes nothing, takes no lock and works on a directory that cannot be
// written. The database may be in use: what changes meanwhile is not taken for
// damage, but a torn end of the log and files that come and go may be noted. A nil
// fsys is the operating system's; progress may be nil. The error is for a directory
// that cannot be read at all; damage is in the report.
func Check(fsys FS, dir string, progress func(Progress)) (*CheckReport, error) {
	if fsys == nil {
		fsys = OSFS()
	}
	c := &checker{fs: fsys, dir: dir, fn: progress, known: map[uint32]*fileCheck{}}
	before := map[Problem]bool{}
	failed := ""
	for run := 1; ; run++ {
		err := c.again()
		switch {
		case err != nil && (err.Error() == failed || run == maxCheckRuns):
			return nil, errorf("engine: check: %w", err)
		case err != nil:
			failed = err.Error()
			continue
		}
		failed = ""
		found := c.report.damage()
		passing := slices.DeleteFunc(slices.Clone(found), func(p Problem) bool { return before[p] })
		if len(passing) == 0 {
			return c.report, nil
		}
		if run == maxCheckRuns {
			c.report.excuse(passing)
			return c.report, nil
		}
		clear(before)
		for _, p := range found {
			before[p] = true
		}
	}
}

// again is a run with a report of its own, of the directory as it is now.
func (c *checker) again() (err error) {
	if c.names, err = c.fs.List(c.dir); err != nil {
		return err
	}
	c.report, c.state, c.listed = &CheckReport{}, manifestState{}, false
	err = errors.Join(c.run(), c.close())
	for n, r := range c.results {
		if c.isGood(n, r) {
			c.known[n] = r
		}
	}
	return err
}

// isGood reports whether nothing was found in a sealed file that was read.
func (c *checker) isGood(n uint32, r *fileCheck) bool {
	return r != nil && r.read && r.file.meta.sealed && !slices.ContainsFunc(c.report.Problems, func(p Problem) bool {
		return p.File == dataFileName(n) || p.File == hintFileName(n)
	})
}

// damage returns the problems that are not harmless.
func (r *CheckReport) damage() []Problem {
	return slices.DeleteFunc(slices.Clone(r.Problems), func(p Problem) bool { return p.Harmless })
}

// excuse makes notes of problems that did not stay.
func (r *CheckReport) excuse(passing []Problem) {
	for i, p := range r.Problems {
		if slices.Contains(passing, p) {
			r.Problems[i].Harmless = true
			r.Problems[i].Reason += "; it was different a moment ago: the database is being written"
		}
	}
	r.Losses = slices.DeleteFunc(r.Losses, func(l *Loss) bool {
		return !slices.ContainsFunc(r.damage(), func(p Problem) bool { return p.File == l.File })
	})
}

// inFile names the file in an error that does not.
func inFile(name string, err error) error {
	var corrupt *CorruptError
	var path *fs.PathError
	if err == nil || errors.As(err, &corrupt) || errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
