package engine

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Dump prints a file of a database by eye: one line for each frame, record or
// edit, with its offset, of a data file, a hint file or a MANIFEST; what SYNCED
// says; what RESERVE and LOCK are. Damage is printed where it is, and the dump
// goes on behind it; the error is then a CorruptError for the first of it.
// A nil fsys is the operating system's; progress may be nil.
func Dump(fsys FS, name string, w io.Writer, progress func(Progress)) error {
	if fsys == nil {
		fsys = OSFS()
	}
	f, err := fsys.Open(name, true)
	if err != nil {
		return errorf("engine: dump: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	size, err := f.Size()
	if err != nil {
		return errorf("engine: dump: %w", err)
	}
	if what := contentless(filepath.Base(name), size); what != "" {
		if _, err := fmt.Fprintln(w, what); err != nil {
			return errorf("engine: dump: %w", err)
		}
		return nil
	}
	b := make([]byte, min(size, fileHeaderBytes))
	if err := readFull(f, b, 0); err != nil {
		return errorf("engine: dump: %w", err)
	}
	out := bufio.NewWriter(w)
	d := &dumper{w: out, fs: fsys, dir: filepath.Dir(name), name: filepath.Base(name), file: f, size: size}
	d.progress.begin("dump "+d.name, size, progress)
	d.run(b)
	d.progress.end()
	if err := out.Flush(); err != nil {
		return errorf("engine: dump: %w", err)
	}
	if d.err != nil {
		return d.err
	}
	if d.corrupt != nil {
		return d.corrupt
	}
	return nil
}

// contentless describes the files of a database whose contents mean nothing, and
// nothing else.
func contentless(base string, size int64) string {
	switch base {
	case reserveName:
		return fmt.Sprintf("RESERVE: %d bytes, kept free for a merge on a full disk; what is in them means nothing", size)
	case lockName:
		return "LOCK: locked while a process has the database open; it has no contents"
	case unfinishedName:
		return "UNFINISHED-BACKUP: there while a backup is being made, which is none without a MANIFEST; it has no contents"
	default:
		return ""
	}
}

// dumper is one run of Dump.
type dumper struct {
	w       *bufio.Writer
	fs      FS
	dir     string
	name    string
	file    File
	size    int64
	corrupt *CorruptError // the first
	err     error

	progress progress
}

func (d *dumper) printf(format string, args ...any) {
	// The writer keeps its error for Flush.
	fmt.Fprintf(d.w, format, args...) //nolint:errcheck // see above
}

// bad prints damage.
func (d *dumper) bad(offset int64, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	d.printf("%10d  DAMAGE %s\n", offset, reason)
	if d.corrupt == nil {
		d.corrupt = &CorruptError{File: d.name, Offset: offset, Reason: reason}
	}
}

func (d *dumper) run(b []byte) {
	if len(b) < fileHeaderBytes {
		d.bad(0, "file header is cut short")
		return
	}
	magic := string(b[:8])
	h, err := decodeFileHeader(b, d.name, magic)
	if err != nil {
		d.bad(0, "%v", err)
		return
	}
	d.printf("%10d  header %q version %d number %d kind %s uuid %x salt %08x created %s\n",
		0, magic, formatVersion, h.number, fileKindName(h.kind), h.uuid, h.salt,
		time.UnixMilli(h.createdMs).UTC().Format(time.RFC3339Nano))
	switch magic {
	case magicData:
		d.data(h)
	case magicManifest:
		d.manifest(h)
	case magicHint:
		d.hint()
	case magicSyncMark:
		d.syncMark(h)
	default:
		d.bad(0, "it is none of this program's files")
	}
}

func fileKindName(kind uint32) string {
	switch kind {
	case fileLog:
		return "log"
	case fileMerged:
		return "merged"
	default:
		return fmt.Sprint(kind)
	}
}

// data prints a data file.
func (d *dumper) data(h fileHeader) {
	meta := fileMeta{number: h.number, kind: h.kind, salt: h.salt, createdMs: h.createdMs}
	f := newDataFile(d.fs, d.dir, d.file, meta)
	for at := int64(fileHeaderBytes); at < d.size && d.err == nil; {
		end, reason, err := f.scanFrames(at, d.size, func(fr *frame) error { return d.frame(fr, h, meta) })
		if err != nil {
			d.err = err
			return
		}
		if reason == "" {
			return
		}
		if at, d.err = nextFrame(f, end+1, d.size); d.err != nil {
			return
		}
		if d.zeros(end, at) {
			d.printf("%10d  zeros up to %d\n", end, at)
			continue
		}
		d.bad(end, "%s; the next frame is at %d", reason, at)
	}
}

// zeros reports whether the file holds nothing else between two offsets.
func (d *dumper) zeros(from, to int64) bool {
	r := blockReader{src: d.file, limit: to}
	for at := from; at < to; {
		b, err := r.at(at, blockBytes)
		if err != nil || !allZero(b) {
			return false
		}
		at += int64(len(b))
	}
	return true
}

func (d *dumper) frame(fr *frame, h fileHeader, meta fileMeta) error {
	d.progress.set(fr.offset)
	if fr.flags&frameFooter != 0 {
		b := make([]byte, footerBytes)
		if err := readFull(d.file, b, fr.offset); err != nil {
			return err
		}
		sealed, reason := decodeFooter(b, meta, h.uuid)
		if reason != "" {
			d.bad(fr.offset, "%s", reason)
			return nil
		}
		d.printf("%10d  footer size %d seq %d..%d records %d (%d bytes) tombstones %d (%d bytes)\n", fr.offset, sealed.size,
			sealed.minSeq, sealed.maxSeq, sealed.records, sealed.recordBytes, sealed.tombstones, sealed.tombBytes)
		return nil
	}
	n, err := fr.checkRecords()
	if err != nil {
		return err
	}
	d.printf("%10d  frame seq %d records %d bytes %d flags %d synced %d\n",
		fr.offset, fr.baseSeq, n, len(fr.payload), fr.flags, fr.knownSynced)
	return fr.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
		d.printf("%10d    seq %d %s\n", offset, seq, describeRecord(r))
		return nil
	})
}

// dumpText is how many bytes of a key or value are printed.
const dumpText = 64

func quote(b []byte) string {
	if len(b) > dumpText {
		return fmt.Sprintf("%q...(%d bytes)", b[:dumpText], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// describeRecord prints a record on one line.
func describeRecord(r *record) string {
	switch r.kind {
	case kindPut:
		s := fmt.Sprintf("put space %d tag %d key %s value %s", r.space, r.tag, quote(r.key), quote(r.value))
		if r.flags&putHasExpire != 0 {
			s += fmt.Sprintf(" expires %d", r.expireMs)
		}
		if r.flags&putHasCollection != 0 {
			s += fmt.Sprintf(" collection %d", r.coll)
		}
		return s
	case kindExpire:
		return fmt.Sprintf("expire space %d key %s expires %d", r.space, quote(r.key), r.expireMs)
	case kindTombstone:
		return fmt.Sprintf("tombstone space %d key %s", r.space, quote(r.key))
	case kindElemPut:
		return fmt.Sprintf("element collection %d subkey %s value %s", r.coll, quote(r.key), quote(r.value))
	case kindElemTombstone:
		return fmt.Sprintf("element tombstone collection %d subkey %s", r.coll, quote(r.key))
	case kindSpaceMap:
		return fmt.Sprintf("space map number %d space %d", r.number, r.space)
	default:
		return fmt.Sprintf("kind %d", r.kind)
	}
}

// manifest prints a MANIFEST, page by page, and what its edits add up to.
func (d *dumper) manifest(h fileHeader) {
	salted := saltCRC(h.salt)
	b := make([]byte, manifestPageBytes)
	for at := int64(manifestPageBytes); at < d.size; at += manifestPageBytes {
		if d.size-at < manifestPageBytes {
			d.printf("%10d  torn page of %d bytes\n", at, d.size-at)
			break
		}
		if d.err = readFull(d.file, b, at); d.err != nil {
			return
		}
		p, zero, reason := decodeManifestPage(b, salted)
		switch {
		case zero:
			d.printf("%10d  zeros\n", at)
		case reason != "":
			d.bad(at, "%s", reason)
		default:
			d.printf("%10d  edit %d part %d of %d, %d bytes\n", at, p.edit, p.part+1, p.parts, len(p.payload))
		}
	}
	all := make([]byte, d.size)
	if d.err = readFull(d.file, all, 0); d.err != nil {
		return
	}
	_, state, _, _, err := decodeManifest(all)
	if err != nil {
		d.bad(0, "%v", err)
	}
	d.state(&state)
}

func (d *dumper) state(s *manifestState) {
	c := s.counters
	d.printf("next sequence number %d, file %d, collection %d, space %d; log end %d; hash seed %016x; closed cleanly %v\n",
		c.nextSeq, c.nextFile, c.nextColl, c.nextSpace, c.logEnd, s.hashSeed, s.clean)
	for _, f := range s.snapshot().add {
		d.printf("file %s kind %s", dataFileName(f.number), fileKindName(f.kind))
		if f.sealed {
			d.printf(" size %d seq %d..%d records %d tombstones %d", f.size, f.minSeq, f.maxSeq, f.records, f.tombstones)
		} else {
			d.printf(" not sealed")
		}
		d.printf("\n")
	}
}

// syncMark prints SYNCED.
func (d *dumper) syncMark(h fileHeader) {
	if d.size < syncMarkBytes {
		d.bad(d.size, "it is cut short")
		return
	}
	b := make([]byte, syncMarkBytes-fileHeaderBytes)
	if d.err = readFull(d.file, b, fileHeaderBytes); d.err != nil {
		return
	}
	if allZero(b) {
		d.printf("%10d  says nothing: the log was not synced since the file was made\n", fileHeaderBytes)
		return
	}
	number, offset, valid := decodeSyncMark(b, saltCRC(h.salt))
	if !valid {
		d.bad(fileHeaderBytes, "checksum does not match; as if it were missing, it says nothing")
		return
	}
	d.printf("%10d  %s was on the disk up to offset %d\n", fileHeaderBytes, dataFileName(number), offset)
}

// hint prints a hint file.
func (d *dumper) hint() {
	b := make([]byte, d.size)
	if d.err = readFull(d.file, b, 0); d.err != nil {
		return
	}
	if reason := dumpHint(b, d.printf); reason != "" {
		d.bad(0, "%s", cmp.Or(reason, "it is damaged"))
	}
}
