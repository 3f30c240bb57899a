package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitkv/engine"
)

// A backup of a damaged file is no success, unless nobody wants to know.
func TestBackupFindsDamage(t *testing.T) {
	dir := t.TempDir()
	db, err := engine.Open(dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("a key"), []byte("the value to be damaged")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(files) != 1 {
		t.Fatalf("data files: %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("to be damaged"))] ^= 0xff
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verify := range []bool{true, false} {
		args := []string{"backup"}
		if !verify {
			args = append(args, "--no-verify")
		}
		var out, errs strings.Builder
		p := &process{stdout: &out, stderr: &errs}
		code := p.run(append(args, dir, filepath.Join(t.TempDir(), "copy")))
		want := map[bool]int{true: 1, false: 0}[verify]
		if code != want || verify != strings.Contains(errs.String(), "damaged") {
			t.Errorf("verify %v: exit code %d, want %d: %s%s", verify, code, want, out.String(), errs.String())
		}
	}
}
