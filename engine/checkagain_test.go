package engine

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// watchedFS calls before ahead of each call that Check makes: what it does to the
// database lies between two steps of the check.
type watchedFS struct {
	FS
	before func()
	// short is a file whose reads all end before anything was read.
	short string
}

func (w *watchedFS) List(dir string) ([]string, error) {
	w.before()
	return w.FS.List(dir)
}

func (w *watchedFS) Open(name string, readOnly bool) (File, error) {
	w.before()
	f, err := w.FS.Open(name, readOnly)
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, w, filepath.Base(name) == w.short}, nil
}

type watchedFile struct {
	File
	fs    *watchedFS
	short bool
}

func (f *watchedFile) Size() (int64, error) {
	f.fs.before()
	return f.File.Size()
}

func (f *watchedFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.before()
	if f.short {
		return 0, io.EOF
	}
	return f.File.ReadAt(p, off)
}

// TestCheckOfADatabaseInUse: what a server does at any point of a check, to seal files
// and to merge them, is not damage.
func TestCheckOfADatabaseInUse(t *testing.T) {
	work := map[string]func(x *trusted){
		"writes": func(x *trusted) { x.fill("k", 5) },
		"seals": func(x *trusted) {
			x.fill("k", 5)
			x.seal()
		},
		"merges": func(x *trusted) {
			x.fill("k", 60)
			x.merge(0.2)
		},
	}
	for name, change := range work {
		t.Run(name, func(t *testing.T) {
			x := newTrusted(t, nil)
			x.fill("k", 60)
			for at, reached := 0, true; reached; at++ {
				x.merge(0)
				x.fill("k", 40) // something for the merge, and a log that is not sealed
				if at == 1000 {
					t.Fatal("the check does not get by with 1000 calls")
				}
				calls := 0
				reached = false
				w := &watchedFS{FS: x.m, before: func() {
					if calls++; calls == at+1 {
						reached = true
						change(x)
					}
				}}
				report, err := Check(w, crashDir, nil)
				if err != nil {
					t.Fatalf("at call %d of the check: %v", at, err)
				}
				if report.Damaged() || len(report.Losses) > 0 || report.Records < 60 {
					t.Fatalf("at call %d of the check: got %+v, want no damage", at, report)
				}
			}
			x.close()
		})
	}
}

// TestCheckOfADatabaseThatNeverRests: the database changes before each call of the
// check, so that no two runs see the same. The check ends, without damage.
func TestCheckOfADatabaseThatNeverRests(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("k", 60)
	n := 0
	w := &watchedFS{FS: x.m, before: func() {
		n++
		x.put(fmt.Sprintf("k%04d", n%60), strings.Repeat("v", 100))
	}}
	report, err := Check(w, crashDir, nil)
	if err != nil || report.Damaged() || len(report.Losses) > 0 {
		t.Errorf("got %+v, %v; want no damage", report, err)
	}
	x.close()
}

// TestCheckFindsDamageInADatabaseInUse: damage stays, whatever the server does to other
// files.
func TestCheckFindsDamageInADatabaseInUse(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.ScrubInterval = -1 })
	x.fill("a", 60)
	x.seal()
	damaged := x.names(dataSuffix)[0]
	x.damage(damaged, func(b []byte) []byte {
		b[len(b)/2] ^= 0xff
		return b
	})
	n := 0
	w := &watchedFS{FS: x.m, before: func() {
		if n++; n%10 == 0 {
			x.fill("k", 5)
			x.seal()
		}
	}}
	report, err := Check(w, crashDir, nil)
	if err != nil || !report.Damaged() || len(report.Losses) != 1 || report.Losses[0].File != damaged {
		t.Errorf("got %+v, %v; want damage in %s", report, err, damaged)
	}
	for _, p := range report.damage() {
		if p.File != damaged {
			t.Errorf("got %v; only %s is damaged", p, damaged)
		}
	}
	x.close()
}

// TestCheckNamesTheFileThatCannotBeRead: an error without a name is of no use.
func TestCheckNamesTheFileThatCannotBeRead(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("k", 60)
	x.close()
	for _, name := range append(x.names(dataSuffix), manifestName) {
		w := &watchedFS{FS: x.m, before: func() {}, short: name}
		if _, err := Check(w, crashDir, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s ends at once: got %v, want an error with its name", name, err)
		}
	}
}
