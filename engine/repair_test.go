package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// eachDamage calls fn with copies of the directory, each with one byte of one
// file inverted: every stride-th, and all of the first 128.
func (c *corruptCase) eachDamage(stride int, fn func(what, file string, img *memFS)) {
	for name, data := range c.files {
		for i := range data {
			if i%trustStride != 0 || i > 128 && i%stride != 0 {
				continue
			}
			img := c.pure.image(crashKept, nil)
			damaged := slices.Clone(data)
			damaged[i] ^= 0xff
			img.setContents(filepath.Join(crashDir, name), damaged)
			fn(fmt.Sprintf("byte %d of %s inverted", i, name), name, img)
		}
	}
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		t := c.t
		report, err := Check(c.pure, crashDir, nil)
		if err != nil || len(report.Problems) > 0 {
			t.Fatalf("undamaged: got %+v, %v", report, err)
		}
		found := 0
		c.eachDamage(5, func(what, file string, img *memFS) {
			before := img.fingerprint()
			report, err := Check(img, crashDir, nil)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if img.fingerprint() != before {
				t.Fatalf("%s: check changed the directory", what)
			}
			if report.Damaged() {
				found++
				return
			}
			// What check calls harmless has to be: nothing is refused, every value is
			// there, but for a torn tail.
			opt := c.opt
			opt.FS = img
			db, err := Open(crashDir, opt)
			if err != nil {
				t.Fatalf("%s: check found no damage, but: %v", what, err)
			}
			if _, err := c.now.judge(db, c.now.synced); err != nil {
				t.Errorf("%s: check found no damage, but: %v", what, err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		if found < 100/trustStride {
			t.Errorf("only %d damages found", found)
		}
	})
}

func TestCheckOfATornTailIsNoDamage(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	x.put("k", "value")
	x.image(crashKill)
	active := x.names(dataSuffix)[0]
	x.damage(active, func(b []byte) []byte {
		end := bytes.LastIndexFunc(b, func(r rune) bool { return r != 0 })
		return append(b[:end+1], "half a frame"...)
	})
	report, err := Check(x.m, crashDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Damaged() || report.TornBytes != int64(len("half a frame")) {
		t.Errorf("got %+v, want no damage and %d torn bytes", report, len("half a frame"))
	}
	x.open()
	x.want("k", "value")
	x.close()
}

// In a log file that is not sealed, frames behind the damage may be good, and only
// SYNCED know that the disk had them: Open refuses that, so Check reports it, and
// Repair keeps what is good on both sides.
func TestRepairOfADamagedLogFile(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync, o.DataFileBytes = SyncNever, 1<<20 })
	x.fill("k", 100)
	if err := x.db.Sync(); err != nil {
		t.Fatal(err)
	}
	x.image(crashKill)
	x.damage(x.names(dataSuffix)[0], func(b []byte) []byte {
		at := bytes.Index(b, []byte("k0050"))
		copy(b[at:], "\xff\xff")
		return b
	})
	report, err := Check(x.m, crashDir, nil)
	if err != nil || !report.Damaged() || report.TornBytes != 0 || report.Records != 99 {
		t.Fatalf("check: got %+v, %v; want damage, 99 good records and nothing torn", report, err)
	}
	if err := x.tryOpen(); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("Open: got %v, want ErrCorrupt", err)
	}
	repaired, err := Repair(x.m, crashDir, nil)
	if err != nil || len(repaired.Actions) == 0 || len(repaired.Found.Losses) != 1 {
		t.Fatalf("repair: got %+v, %v", repaired, err)
	}
	var log strings.Builder
	x.opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	x.open()
	if strings.Contains(log.String(), "was not closed") {
		t.Errorf("the first Open after a repair logs\n%s", log.String())
	}
	for i := range 100 {
		_, err := x.db.Get(fmt.Appendf(nil, "k%04d", i))
		if lost := errors.Is(err, ErrNotFound); lost != (i == 50) || err != nil && !lost {
			t.Errorf("key %d: %v", i, err)
		}
	}
	x.close()
}

// What the next Open cuts is not counted as good.
func TestCheckDoesNotCountWhatIsCut(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync, o.DataFileBytes = SyncNever, 1<<20 })
	x.fill("k", 100)
	x.db.log.mu.Lock()
	end := x.db.log.endSeq.Load()
	x.db.log.mu.Unlock()
	if err := x.db.log.flush(end); err != nil {
		t.Fatal(err)
	}
	x.image(crashKill)
	x.damage(x.names(dataSuffix)[0], func(b []byte) []byte {
		copy(b[bytes.Index(b, []byte("k0050")):], "\xff\xff")
		return b
	})
	report, err := Check(x.m, crashDir, nil)
	if err != nil || report.Damaged() || report.TornBytes == 0 || report.Records != 50 {
		t.Errorf("got %+v, %v; want no damage, a torn tail and 50 good records", report, err)
	}
	x.open()
	x.close()
}

// everWritten reports whether some state had the head, so that it may be what a
// repaired database has.
func (m moment) everWritten(k modelKey, h modelHead) bool {
	return slices.ContainsFunc(m.states, func(s model) bool {
		was, ok := s[k]
		if !ok || was.value != h.value || was.tag != h.tag {
			return false
		}
		return true
	})
}

func TestRepairMakesADamagedDirectoryOpenAgain(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		t := c.t
		repaired := 0
		keys := len(c.now.states[len(c.now.states)-1])
		c.eachDamage(97, func(what, file string, img *memFS) {
			original, _ := img.contents(filepath.Join(crashDir, file))
			report, err := Repair(img, crashDir, nil)
			if err != nil {
				t.Fatalf("%s: repair: %v", what, err)
			}
			if report.Found.Damaged() {
				repaired++
				aside, ok := img.contents(filepath.Join(report.Quarantine, file))
				if file != manifestName && (!ok || !bytes.Equal(aside, original)) {
					t.Fatalf("%s: the damaged file is not in %s", what, report.Quarantine)
				}
			}
			if after, err := Check(img, crashDir, nil); err != nil || after.Damaged() {
				t.Fatalf("%s: after the repair: %+v, %v", what, after, err)
			}
			opt := c.opt
			opt.FS = img
			db, err := Open(crashDir, opt)
			if err != nil {
				t.Fatalf("%s: open after the repair: %v", what, err)
			}
			defer db.Close()
			got, err := dump(db)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for k, h := range got {
				if !c.now.everWritten(k, h) {
					t.Fatalf("%s: key %v has %s, which it never had", what, k, h)
				}
			}
			if len(got) < keys/2 {
				t.Fatalf("%s: only %d keys are left of %d", what, len(got), keys)
			}
		})
		if repaired < 20/trustStride {
			t.Errorf("only %d repairs", repaired)
		}
	})
}

func TestRepairWithoutManifest(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 100)
	x.merge(0)
	x.fill("b", 50)
	x.image(crashKill)
	x.m.setContents(filepath.Join(crashDir, manifestName), nil)
	x.wantCorrupt(manifestName)
	report, err := Repair(x.m, crashDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.open()
	for i := range 100 {
		x.want(fmt.Sprintf("a%04d", i), strings.Repeat("v", 100))
	}
	for i := range 50 {
		x.want(fmt.Sprintf("b%04d", i), strings.Repeat("v", 100))
	}
	x.put("new", "value")
	x.crash(crashLost)
	x.want("new", "value")
	x.close()
	if len(report.Actions) == 0 {
		t.Error("the report says nothing")
	}
}

func TestRepairOfAGoodDirectoryChangesNothing(t *testing.T) {
	synctest.Test(t, repairOfAGoodDirectory)
}

func repairOfAGoodDirectory(t *testing.T) {
	t.Helper()
	x := newTrusted(t, nil)
	x.fill("a", 100)
	synctest.Wait() // A file that is just being made is not listed yet, which is noted.
	x.image(crashKill)
	before := x.m.fingerprint()
	report, err := Repair(x.m, crashDir, nil)
	if err != nil || report.Found.Damaged() || len(report.Actions) > 0 || report.Quarantine != "" {
		t.Errorf("got %+v, %v", report, err)
	}
	if x.m.fingerprint() != before {
		t.Error("the directory was changed")
	}
	x.open()
	if _, err := Repair(x.m, crashDir, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("repair of an open database: got %v, want ErrLocked", err)
	}
	x.close()
}

func TestDumpPrintsEveryFile(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 60)
	if err := x.db.PutExpire([]byte("gone soon"), []byte("v"), 12345); err != nil {
		t.Fatal(err)
	}
	x.delete("a0001")
	x.merge(0.01)
	x.close()
	for _, want := range []struct{ suffix, text string }{
		{dataSuffix, `put space 0 tag 0 key "a0002" value`},
		{dataSuffix, `key "gone soon" value "v" expires 12345`},
		{dataSuffix, `tombstone space 0 key "a0001"`},
		{dataSuffix, "footer size"},
		{hintSuffix, `"a0002"`},
		{manifestName, "closed cleanly true"},
	} {
		found := false
		for _, name := range x.names(want.suffix) {
			var out bytes.Buffer
			if err := Dump(x.m, filepath.Join(crashDir, name), &out, nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			found = found || strings.Contains(out.String(), want.text)
		}
		if !found {
			t.Errorf("no *%s file shows %q", want.suffix, want.text)
		}
	}
	name := x.names(dataSuffix)[0]
	x.damage(name, func(b []byte) []byte { b[100] ^= 1; return b })
	var out bytes.Buffer
	if err := Dump(x.m, filepath.Join(crashDir, name), &out, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("dump of a damaged file: got %v, want ErrCorrupt", err)
	}
	if !strings.Contains(out.String(), "DAMAGE") || !strings.Contains(out.String(), "footer") {
		t.Errorf("the dump does not show the damage and what is behind it:\n%s", out.String())
	}
}

func TestDumpOfAnyBytesDoesNotPanic(t *testing.T) {
	corruptSuite(t, func(c *corruptCase, _ uint64) {
		c.eachDamage(31, func(what, file string, img *memFS) {
			var out bytes.Buffer
			if err := Dump(img, filepath.Join(crashDir, file), &out, nil); err != nil && !errors.Is(err, ErrCorrupt) {
				c.t.Errorf("%s: %v", what, err)
			}
		})
	})
}
