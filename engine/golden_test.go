package engine

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateGolden = flag.Bool("update-golden", false, "write the golden directory of the current format anew")

// A directory of every released format has to open for ever, and to hold what it
// held. testdata/golden/N is one of format N, with what is in it in N.txt.
func TestGoldenDirectories(t *testing.T) {
	if *updateGolden {
		writeGolden(t, filepath.Join("testdata", "golden", fmt.Sprint(formatVersion)))
	}
	for version := 1; version <= formatVersion; version++ {
		golden := filepath.Join("testdata", "golden", fmt.Sprint(version))
		want, err := os.ReadFile(golden + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		copyDir(t, golden, dir)
		for _, how := range []string{"with its hints", "reopened"} {
			db := mustOpen(t, dir, testOptions())
			if got := dumpDB(t, db); got != string(want) {
				t.Errorf("format %d %s:\n%s\nwant:\n%s", version, how, got, want)
			}
			checkLive(t, db)
			mustClose(t, db)
		}
		hints, err := filepath.Glob(filepath.Join(dir, "*"+hintSuffix))
		if err != nil || len(hints) == 0 {
			t.Fatalf("hint files: %v, %v", hints, err)
		}
		for _, name := range hints {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		db := mustOpen(t, dir, testOptions())
		if got := dumpDB(t, db); got != string(want) {
			t.Errorf("format %d without hints:\n%s\nwant:\n%s", version, got, want)
		}
		mustClose(t, db)
	}
}

// writeGolden makes a directory with every kind of file and record: merged and
// log files, and one that was not sealed, as after a kill.
func writeGolden(t *testing.T, golden string) {
	t.Helper()
	dir := t.TempDir()
	opt := testOptions()
	opt.DataFileBytes = 4 << 10
	db := mustOpen(t, dir, opt)
	inTx(t, db, func(tx *Tx) { fillSample(t, tx) })
	if err := db.Merge(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	inTx(t, db, func(tx *Tx) { scramble(t, tx) })
	inTx(t, db, func(tx *Tx) {
		put(t, tx, 0, "expires in a record of its own", strings.Repeat("v", 100), Meta{Tag: 1})
	})
	inTx(t, db, func(tx *Tx) {
		tx.SetExpire(0, []byte("expires in a record of its own"), 1e15)
	})
	want := dumpDB(t, db)
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(golden, 0o755); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, golden)
	mustClose(t, db)
	if err := os.WriteFile(golden+".txt", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies the files of a database, without those that are made again.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == lockName || e.Name() == reserveName {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
