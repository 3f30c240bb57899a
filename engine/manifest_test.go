package engine

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func sampleManifest() (fileHeader, []manifestEdit) {
	h := fileHeader{magic: magicManifest, uuid: [16]byte{1, 2}, salt: 77, createdMs: 5}
	seed, clean := uint64(99), true
	c := counters{nextSeq: 100, nextFile: 7, nextColl: 3, nextSpace: 1 << 20, logEnd: 90}
	sealed := fileMeta{
		number: 2, kind: fileMerged, salt: 4, createdMs: 6, sealed: true, size: 500, dataEnd: 400,
		minSeq: 1, maxSeq: 8, records: 9, tombstones: 1, recordBytes: 300, tombBytes: 10,
	}
	var many []fileMeta
	for i := range uint32(100) {
		many = append(many, fileMeta{number: 10 + i, kind: fileLog, salt: i, createdMs: 1 << 40})
	}
	return h, []manifestEdit{
		{hashSeed: &seed, counters: &c},
		{add: []fileMeta{{number: 1, kind: fileLog, salt: 3}}},
		{add: []fileMeta{sealed}, remove: []uint32{1}},
		{add: many},
		{clean: &clean},
	}
}

// manifestBytes encodes a MANIFEST, and returns where each edit ends.
func manifestBytes(h fileHeader, edits []manifestEdit) (b []byte, ends []int) {
	b = append(h.encode(), make([]byte, manifestPageBytes-fileHeaderBytes)...)
	for i := range edits {
		var err error
		if b, err = appendManifestPages(b, edits[i].encode(), uint64(i+1), saltCRC(h.salt)); err != nil {
			panic(err)
		}
		ends = append(ends, len(b))
	}
	return b, ends
}

func TestManifestRoundTrip(t *testing.T) {
	h, edits := sampleManifest()
	b, ends := manifestBytes(h, edits)
	if pages := (ends[3] - ends[2]) / manifestPageBytes; pages < 3 {
		t.Fatalf("the large edit has %d pages only", pages)
	}
	_, s, end, n, err := decodeManifest(b)
	if err != nil || end != int64(len(b)) || n != uint64(len(edits)) {
		t.Fatalf("decoded %d of %d bytes, %d edits: %v", end, len(b), n, err)
	}
	if len(s.files) != 101 || !s.clean || s.hashSeed != 99 || s.counters.nextSeq != 100 || s.counters.logEnd != 90 {
		t.Errorf("got %d files, clean %v, seed %d, counters %+v", len(s.files), s.clean, s.hashSeed, s.counters)
	}
	if got, want := s.files[2], edits[2].add[0]; got != want {
		t.Errorf("file 2: got %+v, want %+v", got, want)
	}
	again, _ := manifestBytes(h, []manifestEdit{*s.snapshot()})
	_, s2, _, _, err := decodeManifest(again)
	if err != nil || !reflect.DeepEqual(s, s2) {
		t.Errorf("a snapshot does not say the same: %v", err)
	}
}

// Cut at every length: what is there is the edits that are whole.
func TestManifestCutAtEveryLength(t *testing.T) {
	h, edits := sampleManifest()
	b, ends := manifestBytes(h, edits)
	for n := range b {
		_, _, end, got, err := decodeManifest(b[:n])
		want := 0
		for _, e := range ends {
			if e <= n {
				want++
			}
		}
		if want == 0 {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut at %d: got %v, want corruption", n, err)
			}
			continue
		}
		if err != nil || got != uint64(want) || end != int64(ends[want-1]) {
			t.Fatalf("cut at %d: got %d edits up to %d, %v; want %d up to %d", n, got, end, err, want, ends[want-1])
		}
	}
}

// A change of any byte is found.
func TestManifestFlips(t *testing.T) {
	h, edits := sampleManifest()
	b, _ := manifestBytes(h, edits)
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 4
		if _, _, _, _, err := decodeManifest(c); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: got %v", i, err)
		}
	}
}

// Pages of zeros: the tail of an edit that was being written is cut, whatever
// pages of it the disk took; zeros before a later edit are corruption.
func TestManifestZeroPages(t *testing.T) {
	h, edits := sampleManifest()
	b, ends := manifestBytes(h, edits[:4])
	for page := ends[2]; page < ends[3]; page += manifestPageBytes {
		c := bytes.Clone(b)
		clear(c[page : page+manifestPageBytes])
		_, _, end, n, err := decodeManifest(c)
		if err != nil || n != 3 || end != int64(ends[2]) {
			t.Errorf("zeros at %d: got %d edits up to %d, %v", page, n, end, err)
		}
	}
	for page := manifestPageBytes; page < ends[2]; page += manifestPageBytes {
		c := bytes.Clone(b)
		clear(c[page : page+manifestPageBytes])
		if _, _, _, _, err := decodeManifest(c); !errors.Is(err, ErrCorrupt) {
			t.Errorf("zeros at %d: got %v, want corruption", page, err)
		}
	}
}

func TestManifestBadEdits(t *testing.T) {
	h, _ := sampleManifest()
	file := fileMeta{number: 1, kind: fileLog}
	rows := []struct {
		name  string
		edits []manifestEdit
	}{
		{"added twice", []manifestEdit{{add: []fileMeta{file}}, {add: []fileMeta{file}}}},
		{"removed, not there", []manifestEdit{{remove: []uint32{1}}}},
		{"sealed, not there", []manifestEdit{{seal: []fileMeta{{number: 1}}}}},
	}
	for _, row := range rows {
		b, _ := manifestBytes(h, row.edits)
		if _, _, _, _, err := decodeManifest(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
}

func TestManifestNewerVersion(t *testing.T) {
	h, edits := sampleManifest()
	b, _ := manifestBytes(h, edits)
	newer := newerVersion(b)
	if _, _, _, _, err := decodeManifest(newer); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}

func TestManifestRewrite(t *testing.T) {
	fs := newMemFS()
	if err := fs.MkdirAll("/db"); err != nil {
		t.Fatal(err)
	}
	m, err := createManifest(fs, "/db", 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(2000) {
		e := manifestEdit{add: []fileMeta{{number: i + 1, kind: fileLog}}}
		if i >= 10 {
			e.remove = []uint32{i - 9}
		}
		if err := m.edit(&e); err != nil {
			t.Fatal(err)
		}
		if m.end > manifestRewriteBytes+16<<10 {
			t.Fatalf("MANIFEST has %d bytes after %d edits", m.end, i)
		}
	}
	want := m.snapshotState()
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	m, torn, err := openManifest(fs, "/db", false)
	if err != nil || torn != 0 {
		t.Fatalf("reopen: %d torn bytes, %v", torn, err)
	}
	if !reflect.DeepEqual(m.state, want) {
		t.Errorf("got %+v, want %+v", m.state, want)
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
}

// newerVersion returns a file with the version in its header raised, and the
// header's checksum made right.
func newerVersion(b []byte) []byte {
	h, err := decodeFileHeader(b, "it", string(b[:8]))
	if err != nil {
		panic(err)
	}
	c := bytes.Clone(b)
	copy(c, h.encodeVersion(formatVersion+1))
	return c
}

func FuzzManifest(f *testing.F) {
	h, edits := sampleManifest()
	for n := range edits {
		b, _ := manifestBytes(h, edits[:n+1])
		f.Add(b[manifestPageBytes:])
	}
	for i := range edits {
		f.Add(edits[i].encode())
	}
	head, _ := manifestBytes(h, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, s, end, _, err := decodeManifest(append(bytes.Clone(head), b...)); err == nil {
			checkSnapshot(t, &s)
			if end > int64(len(head)+len(b)) {
				t.Fatalf("end %d is past the file", end)
			}
		}
		// As the payload of a good page, it gets further.
		pages, err := appendManifestPages(bytes.Clone(head), b, 1, saltCRC(h.salt))
		if err != nil {
			return
		}
		if _, s, _, _, err := decodeManifest(pages); err == nil {
			checkSnapshot(t, &s)
		}
	})
}

func checkSnapshot(t *testing.T, s *manifestState) {
	t.Helper()
	again := manifestState{files: map[uint32]fileMeta{}}
	if err := again.apply(s.snapshot().encode()); err != nil {
		t.Fatalf("snapshot of %+v: %v", s, err)
	}
	if fmt.Sprint(again) != fmt.Sprint(*s) {
		t.Fatalf("got %+v, want %+v", again, *s)
	}
}
