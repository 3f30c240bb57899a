package engine

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// storedRecord is a record as it is in a file.
type storedRecord struct {
	seq    uint64
	offset int64
	size   int
	text   string
}

// storedRecords returns the good records of a file, by key, and the offsets of
// its frames.
func storedRecords(t *testing.T, m *memFS, name string) (records map[string]storedRecord, frames []int64) {
	t.Helper()
	raw, err := m.Open(filepath.Join(crashDir, name), true)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	b := make([]byte, fileHeaderBytes)
	if err := readFull(raw, b, 0); err != nil {
		t.Fatal(err)
	}
	h, err := decodeFileHeader(b, name, magicData)
	if err != nil {
		t.Fatal(err)
	}
	size, err := raw.Size()
	if err != nil {
		t.Fatal(err)
	}
	records = map[string]storedRecord{}
	f := newDataFile(m, crashDir, raw, fileMeta{number: h.number, salt: h.salt, kind: h.kind})
	_, reason, err := f.scanFrames(fileHeaderBytes, size-footerBytes, func(fr *frame) error {
		frames = append(frames, fr.offset)
		return fr.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
			records[string(r.key)] = storedRecord{seq, offset, size, describeRecord(r)}
			return nil
		})
	})
	if err != nil || reason != "" {
		t.Fatalf("%s: %q, %v", name, reason, err)
	}
	return records, frames
}

// mergedCase is a database with a merged file of several frames.
type mergedCase struct {
	*trusted
	file    string // the merged one
	records map[string]storedRecord
	frames  []int64
}

func newMergedCase(t *testing.T) *mergedCase {
	t.Helper()
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	x.put("never touched again", "v")
	x.fill("k", 1200)
	x.delete("k0003")
	x.seal()
	x.merge(0)
	x.close()
	c := &mergedCase{trusted: x}
	for _, name := range x.names(dataSuffix) {
		if records, frames := storedRecords(t, x.m, name); len(records) > 1000 {
			c.file, c.records, c.frames = name, records, frames
		}
	}
	if len(c.frames) < 4 {
		t.Fatalf("the merged file has %d frames", len(c.frames))
	}
	return c
}

func (c *mergedCase) key(i int) storedRecord {
	c.t.Helper()
	r, ok := c.records[fmt.Sprintf("k%04d", i)]
	if !ok {
		c.t.Fatalf("k%04d is not in %s", i, c.file)
	}
	return r
}

// repair repairs a copy that fn damaged. It checks that each record which is left
// is as it was, and returns how many are lost.
func (c *mergedCase) repair(withHint bool, fn func(b []byte)) (lost int, report *RepairReport) {
	t := c.t
	t.Helper()
	img := c.m.image(crashKept, nil)
	b, _ := img.contents(filepath.Join(crashDir, c.file))
	b = slices.Clone(b)
	fn(b)
	img.setContents(filepath.Join(crashDir, c.file), b)
	number, _, _ := parseFileName(c.file)
	if !withHint {
		if err := img.Remove(filepath.Join(crashDir, hintFileName(number))); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Repair(img, crashDir, nil)
	if err != nil || !report.Found.Damaged() || !slices.Contains(report.Damaged, c.file) {
		t.Fatalf("got %+v, %v", report, err)
	}
	if after, err := Check(img, crashDir, nil); err != nil || after.Damaged() || len(after.Losses) > 0 {
		t.Fatalf("after the repair: %+v, %v", after, err)
	}
	left := map[string]storedRecord{}
	names, err := img.List(crashDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if isDataName(name) {
			records, _ := storedRecords(t, img, name)
			maps.Copy(left, records)
		}
	}
	for key, was := range c.records {
		is, ok := left[key]
		if !ok {
			lost++
		} else if is.seq != was.seq || is.text != was.text {
			t.Fatalf("%s was seq %d %s, is seq %d %s", key, was.seq, was.text, is.seq, is.text)
		}
	}
	if loss := report.Found.Losses; len(loss) != 1 || loss[0].Records != int64(lost) {
		t.Fatalf("%d records are lost, the report says %v", lost, loss)
	}
	return lost, report
}

func TestRepairKeepsTheGoodRecordsOfADamagedFrame(t *testing.T) {
	c := newMergedCase(t)
	r := c.key(500)
	all := len(c.records)
	between := func(from, to int64) (n int) {
		for _, o := range c.records {
			if from < o.offset && o.offset < to {
				n++
			}
		}
		return n
	}
	// r is in the second frame, for the deleted key makes a gap in the numbers.
	behind := between(r.offset-1, c.frames[2])
	third := between(c.frames[2], c.frames[3])
	if r.offset < c.frames[1] || behind < 20 || third == 0 {
		t.Fatalf("%d records from %d on in its frame, %d in the next, frames %d", behind, r.offset, third, c.frames)
	}
	zero := func(from int64, n int) func(b []byte) {
		return func(b []byte) { copy(b[from:], make([]byte, n)) }
	}
	tests := []struct {
		what                string
		damage              func(b []byte)
		hinted, withoutHint int // how many are lost
	}{
		{"a value", func(b []byte) { b[r.offset+60] ^= 1 }, 1, 1},
		{"a checksum", func(b []byte) { b[r.offset] ^= 1 }, 1, 1},
		{"a kind", func(b []byte) { b[r.offset+4] = 99 }, 1, 1},
		{"a length", func(b []byte) { b[r.offset+9] ^= 0x15 }, 1, 1},
		{"two values", func(b []byte) { b[r.offset+60] ^= 1; b[c.key(520).offset+60] ^= 1 }, 2, 2},
		{"a whole record and the start of the next", zero(r.offset, r.size+4), 2, 2},
		{"five records", zero(r.offset+10, 5*r.size-20), 5, 5},
		{"five records, and one apart", func(b []byte) {
			zero(r.offset, 5*r.size)(b)
			zero(c.key(510).offset, 8)(b)
		}, 6, behind},
		{"the header of a frame", func(b []byte) { b[c.frames[2]+9] ^= 1 }, 0, third},
		{"everything", func(b []byte) { zero(fileHeaderBytes, len(b)-fileHeaderBytes-footerBytes)(b) }, all, all},
	}
	for _, tt := range tests {
		if got, _ := c.repair(true, tt.damage); got != tt.hinted {
			t.Errorf("%s: %d records are lost, want %d", tt.what, got, tt.hinted)
		}
		if got, _ := c.repair(false, tt.damage); got != tt.withoutHint {
			t.Errorf("%s, without a hint file: %d records are lost, want %d", tt.what, got, tt.withoutHint)
		}
	}
}

// Any one byte costs one record at most, but for the header of a frame where
// there is no hint file.
func TestRepairAfterAnyByte(t *testing.T) {
	c := newMergedCase(t)
	data, _ := c.m.contents(filepath.Join(crashDir, c.file))
	r := c.key(700)
	for i := fileHeaderBytes; i < len(data)-footerBytes; i++ {
		in := int64(i) >= r.offset && int64(i) < r.offset+int64(r.size)
		if i%1999 != 0 && (!in || i%3 != 0) {
			continue
		}
		header := slices.ContainsFunc(c.frames, func(at int64) bool { return int64(i) >= at && int64(i) < at+frameHeaderBytes })
		for _, hint := range []bool{true, false} {
			lost, _ := c.repair(hint, func(b []byte) { b[i] ^= 0xff })
			if lost > 1 && (hint || !header) {
				t.Fatalf("byte %d, hint file %v: %d records are lost", i, hint, lost)
			}
		}
	}
}

// A value may hold bytes that are a valid record. They are never taken for one.
func TestRepairTakesNoValueForARecord(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	fake := appendRecord(nil, &record{kind: kindPut, key: []byte("fake"), value: []byte("value")})
	for i := range 20 {
		x.put(fmt.Sprintf("k%02d", i), strings.Repeat("v", 50)+string(fake))
	}
	x.seal()
	x.merge(0)
	x.close()
	c := &mergedCase{trusted: x}
	for _, name := range x.names(dataSuffix) {
		if records, frames := storedRecords(t, x.m, name); len(records) == 20 {
			c.file, c.records, c.frames = name, records, frames
		}
	}
	r := c.records["k07"]
	for _, hint := range []bool{true, false} {
		lost, report := c.repair(hint, func(b []byte) { b[r.offset+4] = 99 })
		if hint && lost != 1 || !hint && lost != 13 {
			t.Errorf("hint file %v: %d records are lost", hint, lost)
		}
		if l := report.Found.Losses[0]; !hint && l.Unnumbered != 12+1 {
			t.Errorf("%d records are said to be without a number: %v", l.Unnumbered, l)
		}
	}
}

func TestLossNamesKeysAndWarns(t *testing.T) {
	c := newMergedCase(t)
	_, report := c.repair(true, func(b []byte) { b[c.key(500).offset+60] ^= 1 })
	found := report.Found
	if got, want := found.Losses[0].String(), c.file+`: 1 record is lost, of 1 key: "k0500"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if w := found.Warnings(); len(w) == 0 || !strings.Contains(w[0], "newest record is lost") {
		t.Errorf("the warnings are %q", w)
	}
	_, report = c.repair(true, func(b []byte) { copy(b[c.key(500).offset:], make([]byte, 3000)) })
	if l := report.Found.Losses[0]; l.Keys <= lossNames || len(l.Names) != lossNames || !strings.Contains(l.String(), "more") {
		t.Errorf("got %+v: %v", l, l)
	}
	_, report = c.repair(false, func(b []byte) { b[c.key(500).offset+60] ^= 1 })
	if got := report.Found.Losses[0].String(); !strings.Contains(got, "1 record is lost; of which keys is not known") {
		t.Errorf("without a hint file: %q", got)
	}
	if after, err := Check(c.m, crashDir, nil); err != nil || len(after.Losses) > 0 || len(after.Warnings()) > 0 {
		t.Errorf("without damage: got %+v, %v", after, err)
	}
}

// A lost deletion brings the key back, and the report says so.
func TestLossOfATombstoneWarns(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "old")
	x.seal()
	x.delete("k")
	x.put("other", "v")
	x.seal()
	x.close()
	x.damage(x.names(dataSuffix)[1], func(b []byte) []byte { b[fileHeaderBytes+frameHeaderBytes+6] ^= 1; return b })
	report, err := Check(x.m, crashDir, nil)
	if err != nil || len(report.Losses) != 1 {
		t.Fatalf("got %+v, %v", report, err)
	}
	if l := report.Losses[0]; l.Records != 1 || l.Tombstones != 1 || !l.Older || !slices.Equal(l.Names, []string{"k"}) {
		t.Errorf("got %+v", l)
	}
	if w := strings.Join(report.Warnings(), "\n"); !strings.Contains(w, "deleted may be back") {
		t.Errorf("the warnings are %q", w)
	}
	if _, err := Repair(x.m, crashDir, nil); err != nil {
		t.Fatal(err)
	}
	x.open()
	x.want("k", "old")
	x.want("other", "v")
}

func TestRepairWithoutADataFile(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("a", "1")
	x.put("b", "2")
	x.seal()
	x.put("c", "3")
	x.close()
	missing := x.names(dataSuffix)[0]
	if err := x.m.Remove(filepath.Join(crashDir, missing)); err != nil {
		t.Fatal(err)
	}
	report, err := Repair(x.m, crashDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := parseFileName(missing)
	if !slices.Equal(report.Damaged, []string{hintFileName(number)}) || !slices.Contains(report.Replaced, manifestName) {
		t.Errorf("damaged %q, replaced %q", report.Damaged, report.Replaced)
	}
	if l := report.Found.Losses; len(l) != 1 || !slices.Equal(l[0].Names, []string{"a", "b"}) {
		t.Errorf("the losses are %v", l)
	}
	x.open()
	x.want("c", "3")
}

func TestDumpOfFilesWithoutRecords(t *testing.T) {
	x := newTrusted(t, nil)
	dump := func(name string) (string, error) {
		var out bytes.Buffer
		err := Dump(x.m, filepath.Join(crashDir, name), &out, nil)
		return out.String(), err
	}
	if out, err := dump(syncMarkName); err != nil || !strings.Contains(out, "says nothing") {
		t.Errorf("a new SYNCED: %q, %v", out, err)
	}
	x.put("k", "v")
	x.close()
	for name, want := range map[string]string{
		syncMarkName: "was on the disk up to offset", lockName: "it has no contents",
	} {
		if out, err := dump(name); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	x.damage(syncMarkName, func(b []byte) []byte { b[70] ^= 1; return b })
	if out, err := dump(syncMarkName); err == nil || !strings.Contains(out, "DAMAGE") {
		t.Errorf("a damaged SYNCED: %q, %v", out, err)
	}
	x.m.setContents(filepath.Join(crashDir, reserveName), make([]byte, 100))
	if out, err := dump(reserveName); err != nil || !strings.Contains(out, "100 bytes, kept free for a merge") {
		t.Errorf("RESERVE: %q, %v", out, err)
	}
}
