package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitkv/engine"
	"bitkv/internal/testenv"
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

// freeAt calls fn when what is written says that the data directory is free.
type freeAt struct {
	strings.Builder
	fn func()
}

// Write implements io.Writer.
func (w *freeAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("can be used again")) {
		w.fn()
	}
	return w.Builder.Write(b)
}

// The server can start as soon as the backup is made: it is read afterwards.
func TestBackupFreesTheSourceFirst(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 100)
	var db *engine.DB
	out := &freeAt{fn: func() {
		var err error
		if db, err = engine.Open(dir, engine.Options{}); err != nil {
			t.Errorf("the data directory is not free: %v", err)
		}
	}}
	var errs strings.Builder
	p := &process{stdout: out, stderr: &errs}
	if code := p.run([]string{"backup", dir, filepath.Join(t.TempDir(), "copy")}); code != 0 {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	if db == nil {
		t.Fatal("nothing says that the data directory is free")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(out.String(), "nothing in it is damaged\n") {
		t.Errorf("printed %q", out.String())
	}
}

// The tools and the server say of a backup that was cut off that it has to be made
// again, and do not advise to repair it.
func TestUnfinishedBackup(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	makeDatabase(t, dir, 100)
	if code, _, errs := tool(t, "backup", dir, copied); code != 0 {
		t.Fatal(errs)
	}
	if err := os.Rename(filepath.Join(copied, "MANIFEST"), filepath.Join(copied, "UNFINISHED-BACKUP")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", copied}, {"repair", copied}, {"merge", copied}, {"--port", strconv.Itoa(testenv.FreePort(t)), "--dir", copied},
	} {
		code, _, errs := tool(t, args...)
		if code != 1 || !strings.Contains(errs, "remove it and make the backup again") || strings.Contains(errs, "bitkv-redis repair") {
			t.Errorf("%v: code %d, %q", args, code, errs)
		}
	}
	if code, _, errs := tool(t, "backup", dir, copied); code != 1 || !strings.Contains(errs, "a backup that was not finished") {
		t.Errorf("backup over it: code %d, %q", code, errs)
	}

	// As one is that was cut off before its first file.
	begun := t.TempDir()
	if err := os.WriteFile(filepath.Join(begun, "UNFINISHED-BACKUP"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", begun}, {"repair", begun}, {"merge", begun}, {"backup", begun, copied + "2"}} {
		code, _, errs := tool(t, args...)
		if code != 1 || !strings.Contains(errs, "remove it and make the backup again") {
			t.Errorf("%v: code %d, %q", args, code, errs)
		}
	}
}

// A backup into the directory that it is of is refused before anything is changed.
func TestBackupIntoItsSource(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 100)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	before := dirSum(t, dir)
	for _, dest := range []string{dir, filepath.Join(dir, "sub"), filepath.Join(dir, "a", "b"), filepath.Join(link, "sub")} {
		code, out, errs := tool(t, "backup", dir, dest)
		if code != 1 || out != "" || errs != "bitkv-redis: "+dest+" is inside of "+dir+": a backup has to be elsewhere\n" {
			t.Errorf("backup to %s: code %d, %q, %q", dest, code, out, errs)
		}
		if dirSum(t, dir) != before {
			t.Fatalf("backup to %s changed the directory", dest)
		}
	}
	t.Chdir(dir)
	if code, _, errs := tool(t, "backup", ".", "sub"); code != 1 || !strings.Contains(errs, "sub is inside of .: ") {
		t.Errorf("relative: code %d, %q", code, errs)
	}
	if code, _, errs := tool(t, "backup", ".", dir+"-beside"); code != 0 {
		t.Errorf("beside it: code %d, %q", code, errs)
	}
}
