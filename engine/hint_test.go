package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// hintOf returns the hint file of the sample records, and its meta.
func hintOf() (fileMeta, [16]byte, []byte) {
	uuid := [16]byte{7}
	m := fileMeta{number: 4, kind: fileLog, salt: 9, sealed: true, dataEnd: 1 << 20, records: 8}
	var h hintEncoder
	seq, offset := uint64(50), int64(fileHeaderBytes+frameHeaderBytes)
	for _, r := range sampleRecords() {
		h.add(&r, seq, offset)
		seq += 3
		offset += 100
	}
	return m, uuid, encodeHint(&m, uuid, &h)
}

func TestHintRoundTrip(t *testing.T) {
	m, uuid, b := hintOf()
	h, entries, dataEnd, records, err := decodeHint(b, "hint")
	if err != nil || h.uuid != uuid || dataEnd != m.dataEnd || records != m.records {
		t.Fatalf("got %+v, %d, %d, %v", h, dataEnd, records, err)
	}
	d := hintDecoder{f: fieldReader{b: entries}, limit: dataEnd}
	seq, offset := uint64(50), int64(fileHeaderBytes+frameHeaderBytes)
	var got loadRecord
	for _, r := range sampleRecords() {
		if !d.next(&got) {
			t.Fatalf("no entry for %+v", r)
		}
		want := loadRecord{
			kind: r.kind, flags: r.flags, tag: r.tag, space: r.space, number: r.number, coll: r.coll,
			expireMs: r.expireMs, key: r.key, size: uint32(len(r.value)), inline: inlineOrZero(r.value),
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || d.seq != seq || d.offset != offset {
			t.Errorf("got %+v at %d, %d, want %+v at %d, %d", got, d.seq, d.offset, want, seq, offset)
		}
		seq += 3
		offset += 100
	}
	if d.next(&got) || d.f.bad {
		t.Error("the entries do not end where they should")
	}
}

// A hint file is written in pieces, whose borders do not show in it.
func TestHintInPieces(t *testing.T) {
	for _, entries := range []int{0, 1, 7, hintPieceBytes / 28, hintPieceBytes / 9} {
		uuid := [16]byte{7}
		m := fileMeta{number: 4, kind: fileLog, salt: 9, sealed: true, dataEnd: 1 << 30, records: uint64(entries)}
		fs := OSFS()
		name := filepath.Join(t.TempDir(), "hint")
		f, err := fs.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		var all hintEncoder
		w := newHintWriter(f, new(diskLimit), &m, uuid)
		for i := range entries {
			r := record{kind: kindPut, key: fmt.Appendf(nil, "key:%012d", i), value: []byte("12345678")[:i%9]}
			offset := int64(fileHeaderBytes + frameHeaderBytes + 100*i)
			all.add(&r, uint64(i), offset)
			if err := w.add(&r, uint64(i), offset); err != nil {
				t.Fatal(err)
			}
			if n := cap(w.entries.b); n > 2*hintPieceBytes {
				t.Fatalf("%d bytes are held", n)
			}
		}
		if err := errors.Join(w.finish(), f.Close()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := encodeHint(&m, uuid, &all); !bytes.Equal(got, want) {
			t.Errorf("%d entries: got %d bytes, want %d, or others", entries, len(got), len(want))
		}
	}
}

func TestHintDamage(t *testing.T) {
	_, _, b := hintOf()
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		_, _, _, _, err := decodeHint(c, "hint")
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d changed: got %v", i, err)
		}
	}
	for n := range b {
		if _, _, _, _, err := decodeHint(b[:n], "hint"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: got %v", n, err)
		}
	}
}

// A hint that is damaged, of another file or missing is made again, and what is
// loaded is the same.
func TestHintIsOnlyAHint(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions()
	db := mustOpen(t, dir, opt)
	for i := range 1000 {
		if err := db.Put(fmt.Appendf(nil, "key-%d", i%300), bytes.Repeat([]byte{byte(i)}, i%40)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	hints, err := filepath.Glob(filepath.Join(dir, "*"+hintSuffix))
	if err != nil || len(hints) < 3 {
		t.Fatalf("got hint files %v, %v, want 3 at least", hints, err)
	}
	contents := make([][]byte, len(hints))
	for i, name := range hints {
		if contents[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	damage := map[string]func(i int) []byte{
		"flipped":         func(i int) []byte { c := bytes.Clone(contents[i]); c[len(c)/2] ^= 1; return c },
		"cut":             func(i int) []byte { return contents[i][:len(contents[i])-10] },
		"empty":           func(int) []byte { return nil },
		"of another file": func(i int) []byte { return contents[(i+1)%len(contents)] },
		"long":            func(i int) []byte { return append(bytes.Clone(contents[i]), make([]byte, 1<<20)...) },
		"removed":         nil,
	}
	for name, make := range damage {
		t.Run(name, func(t *testing.T) {
			for i, file := range hints {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				if make == nil {
					continue
				}
				if err := os.WriteFile(file, make(i), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			db := mustOpen(t, dir, opt)
			for i := 700; i < 1000; i++ {
				got, err := db.Get(fmt.Appendf(nil, "key-%d", i%300))
				if want := bytes.Repeat([]byte{byte(i)}, i%40); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("key-%d: got %x, %v, want %x", i%300, got, err, want)
				}
			}
			for i, file := range hints {
				waitFor(t, filepath.Base(file)+" made again", func() bool {
					got, err := os.ReadFile(file)
					return err == nil && bytes.Equal(got, contents[i])
				})
			}
			mustClose(t, db)
		})
	}
}

func TestHintNewerVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, testOptions())
	if err := db.Put([]byte("key"), []byte("value")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	for _, pattern := range []string{"*" + hintSuffix, "*" + dataSuffix, manifestName} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: got %v, %v", pattern, names, err)
		}
		old, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(names[0], newerVersion(old), 0o644); err != nil {
			t.Fatal(err)
		}
		if db, err := Open(dir, testOptions()); !errors.Is(err, ErrVersion) {
			t.Errorf("%s: got %v, %v, want ErrVersion", pattern, db, err)
		}
		if got, err := os.ReadFile(names[0]); err != nil || !bytes.Equal(got, newerVersion(old)) {
			t.Errorf("%s was changed: %v", pattern, err)
		}
		if err := os.WriteFile(names[0], old, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db = mustOpen(t, dir, testOptions())
	mustClose(t, db)
}

func FuzzHint(f *testing.F) {
	_, _, b := hintOf()
	f.Add(b)
	f.Add(b[fileHeaderBytes : len(b)-hintTrailerBytes])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, entries, dataEnd, _, err := decodeHint(b, "hint"); err == nil {
			b = entries
			_ = dataEnd
		}
		d := hintDecoder{f: fieldReader{b: b}, limit: 1 << 32}
		var r loadRecord
		for d.next(&r) {
			if d.offset >= d.limit || d.offset < fileHeaderBytes {
				t.Fatalf("offset %d is out of bounds", d.offset)
			}
		}
	})
}
