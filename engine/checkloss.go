package engine

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// This file is what check and repair say about the records that damage took: how
// many there are and of which keys, as far as footers and hint files tell.

// lossNames is how many keys a Loss names.
const lossNames = 10

// Unknown is a number in a Loss that nothing on the disk tells.
const Unknown = -1

// Loss is what cannot be read any more of one data file.
type Loss struct {
	File string // base name
	// Records are all that are lost, Tombstones the deletions among them, as the
	// footer tells; Unknown in a file that is not sealed.
	Records, Tombstones int64
	// Unnumbered are those of Records that can be read, but not told how new they
	// are, which takes the hint file.
	Unnumbered int64
	// Keys are the keys that the lost records are of, Elements counts the lost
	// records of elements of collections, and Spaces the lost changes of keyspaces
	// as a whole. They take a hint file: without one, all are Unknown.
	Keys, Elements, Spaces int64
	// Superseded are those of Keys that lost nothing: a newer value is kept, or the
	// record that deleted them. Names are the first of the others.
	Superseded int64
	Names      []string
	// ElementsSuperseded are those of Elements that a newer record of the same
	// element replaces, ElementsGone those of collections that no key has any more:
	// both do no harm. Collections are those that the others are of, and
	// CollectionNames the keys of the first of them.
	ElementsSuperseded, ElementsGone int64
	Collections                      int64
	CollectionNames                  []string
	// Older says that there are older records than the lost ones. A key whose
	// newest record is lost may have an older value then, and one whose tombstone
	// is lost may be back.
	Older bool

	maxSeq uint64 // highest sequence number that may be lost
	lost   []lostRecord
}

// String says it in one line.
func (l *Loss) String() string {
	var s strings.Builder
	s.WriteString(l.File + ": ")
	switch l.Records {
	case 0:
		s.WriteString("every record can be read")
		return s.String()
	case Unknown:
		s.WriteString("records are lost, it is not known how many and of which keys")
		return s.String()
	case 1:
		s.WriteString("1 record is lost")
	default:
		fmt.Fprintf(&s, "%d records are lost", l.Records)
	}
	if l.Unnumbered > 0 {
		fmt.Fprintf(&s, " (%d of them can be read, but without the hint file not told how new they are)", l.Unnumbered)
	}
	if l.Keys == Unknown {
		s.WriteString("; of which keys is not known, for there is no hint file")
		return s.String()
	}
	for i, part := range l.parts() {
		s.WriteString([]string{", ", "; "}[min(i, 1)] + part)
	}
	return s.String()
}

// parts says what the lost records are of.
func (l *Loss) parts() (parts []string) {
	if l.Keys > 0 {
		s := "of " + plural(l.Keys, "key")
		if l.Superseded > 0 {
			s += fmt.Sprintf(" (%d superseded)", l.Superseded)
		}
		parts = append(parts, s+list(l.Names, l.Keys-l.Superseded))
	}
	if n := l.Elements - l.ElementsSuperseded - l.ElementsGone; n > 0 {
		parts = append(parts, plural(n, "element")+" of "+plural(l.Collections, "collection")+list(l.CollectionNames, l.Collections))
	}
	if l.ElementsSuperseded > 0 {
		parts = append(parts, plural(l.ElementsSuperseded, "superseded element"))
	}
	if l.ElementsGone > 0 {
		parts = append(parts, plural(l.ElementsGone, "element")+" of collections that are gone")
	}
	if l.Spaces > 0 {
		parts = append(parts, plural(l.Spaces, "change")+" of keyspaces as a whole")
	}
	return parts
}

// list names the first of n keys.
func list(names []string, n int64) string {
	var s strings.Builder
	for i, name := range names {
		s.WriteString([]string{": ", ", "}[min(i, 1)] + quote([]byte(name)))
	}
	if more := n - int64(len(names)); more > 0 {
		fmt.Fprintf(&s, " and %d more", more)
	}
	return s.String()
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// losesKeys reports whether the loss may change or remove a key.
func (l *Loss) losesKeys() bool {
	return l.Records != 0 && (l.Keys == Unknown || l.Keys > l.Superseded)
}

// Warnings says what the losses do to keys that repair leaves, one sentence each.
func (r *CheckReport) Warnings() (w []string) {
	some := func(f func(l *Loss) bool) bool { return slices.ContainsFunc(r.Losses, f) }
	older := func(l *Loss) bool { return l.losesKeys() && l.Older }
	switch {
	case some(older):
		w = append(w, "keys whose newest record is lost are gone, or have the older value that is still there")
	case some((*Loss).losesKeys):
		w = append(w, "keys whose only record is lost are gone")
	}
	if some(func(l *Loss) bool { return l.Collections > 0 }) {
		w = append(w, "collections are without their lost elements, or have an older one that is still there")
	}
	if some(func(l *Loss) bool { return older(l) && l.Tombstones != 0 }) {
		w = append(w, "keys that were deleted may be back, where the record that deleted them is lost")
	}
	if some(func(l *Loss) bool { return l.Older && l.Records != 0 && l.Spaces != 0 }) {
		w = append(w, "keyspaces that were cleared or exchanged may be as before, where the record of that is lost")
	}
	return w
}

// newLoss is the loss of the file that meta describes, of which left is what can
// be kept; nil: nothing.
func newLoss(meta *fileMeta, left *fileCheck) *Loss {
	l := &Loss{
		File: dataFileName(meta.number), Records: Unknown, Tombstones: Unknown,
		Keys: Unknown, Elements: Unknown, Spaces: Unknown, maxSeq: 1<<64 - 1,
	}
	if left == nil {
		left = &fileCheck{}
	}
	records, tombstones := int64(meta.records)-left.records, int64(meta.tombstones)-left.tombstones
	// A footer that knows of less than what was read is not to be believed.
	if meta.sealed && records >= 0 && tombstones >= 0 && tombstones <= records {
		l.Records, l.Tombstones, l.maxSeq = records, tombstones, meta.maxSeq
	}
	return l
}

// startHinted makes the numbers that a hint file tells known.
func (l *Loss) startHinted() {
	l.Keys, l.Elements, l.Spaces, l.maxSeq = 0, 0, 0, 0
}

// add notes a lost record that a hint file has. explainLosses counts the keys, which
// r must stay valid for.
func (l *Loss) add(r *loadRecord, seq uint64) {
	l.maxSeq = max(l.maxSeq, seq)
	if r.kind == kindSpaceMap {
		l.Spaces++
		return
	}
	lost := lostRecord{id: recordID(r), seq: seq, element: r.kind.isElement(), coll: r.coll, space: r.space, key: r.key}
	if lost.element {
		l.Elements++
	}
	l.lost = append(l.lost, lost)
}

// loseFile notes the loss of a whole file.
func (c *checker) loseFile(meta *fileMeta) error {
	l := newLoss(meta, nil)
	entries, err := c.hintEntries(meta)
	if err != nil {
		return err
	}
	if entries != nil {
		l.startHinted()
		eachHinted(meta, entries, func(r *loadRecord, seq uint64, _ int64) { l.add(r, seq) })
	}
	c.report.Losses = append(c.report.Losses, l)
	return nil
}

// judgeLosses puts the losses in order, adds those of files of the log that are
// not sealed, and finds out which may have older records.
func (c *checker) judgeLosses() {
	minSeq := uint64(1<<64 - 1)
	for n, r := range c.results {
		if r == nil {
			continue
		}
		if r.records > 0 {
			minSeq = min(minSeq, r.minSeq)
		}
		meta := c.state.files[n]
		if !meta.sealed && (r.damaged || !c.listed && len(r.gaps) > 0) {
			c.report.Losses = append(c.report.Losses, newLoss(&meta, nil))
		}
	}
	for _, l := range c.report.Losses {
		l.Older = minSeq < l.maxSeq
	}
	slices.SortFunc(c.report.Losses, func(a, b *Loss) int { return cmp.Compare(a.File, b.File) })
}

// hintEntries returns the entries of the hint file of a sealed file, nil if there
// is no valid one.
func (c *checker) hintEntries(meta *fileMeta) (entries []byte, err error) {
	name := hintFileName(meta.number)
	if !meta.sealed || !slices.Contains(c.names, name) {
		return nil, nil
	}
	f, err := c.fs.Open(filepath.Join(c.dir, name), true)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if err := readFull(f, b, 0); err != nil {
		return nil, inFile(name, err)
	}
	h, entries, dataEnd, records, err := decodeHint(b, name)
	if err != nil {
		return nil, nil // one that is damaged is as good as none
	}
	if h.number != meta.number || h.salt != meta.salt || h.kind != meta.kind || h.uuid != c.uuid ||
		dataEnd != meta.dataEnd || records != meta.records || !eachHinted(meta, entries, nil) {
		return nil, nil
	}
	return entries, nil
}

// eachHinted calls fn, unless it is nil, for each entry of a hint file. It
// reports whether all of them are valid.
func eachHinted(meta *fileMeta, entries []byte, fn func(r *loadRecord, seq uint64, offset int64)) bool {
	d := hintDecoder{f: fieldReader{b: entries}, limit: meta.dataEnd}
	var r loadRecord
	for d.next(&r) {
		if fn != nil {
			fn(&r, d.seq, d.offset)
		}
	}
	return !d.f.bad
}
