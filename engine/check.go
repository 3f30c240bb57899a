package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Problem is one piece of damage that Check found.
type Problem struct {
	File   string // base name
	Offset int64
	Reason string
	// Harmless says that nothing is lost by it: a hint file that will be made
	// again, a file that a crash left behind.
	Harmless bool
}

func (p Problem) String() string {
	kind := "damage"
	if p.Harmless {
		kind = "note"
	}
	return fmt.Sprintf("%s: %s at offset %d: %s", kind, p.File, p.Offset, p.Reason)
}

// CheckReport is what Check found.
type CheckReport struct {
	Problems []Problem
	// Files, Frames, Records and Bytes count what was read and found good.
	Files, Frames, Records, Bytes int64
	// Losses are what is lost by the damage, file by file.
	Losses []*Loss
	// TornBytes is the length of what the next Open will cut off the end of the
	// log, because a crash left it half written. It is no damage.
	TornBytes int64
}

// Damaged reports whether anything is wrong that Open would not put right.
func (r *CheckReport) Damaged() bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return !p.Harmless })
}

func (r *CheckReport) add(file string, offset int64, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{File: file, Offset: offset, Reason: fmt.Sprintf(format, args...)})
}

func (r *CheckReport) note(file string, offset int64, format string, args ...any) {
	r.add(file, offset, format, args...)
	r.Problems[len(r.Problems)-1].Harmless = true
}

// checker is one run of Check or Repair.
type checker struct {
	fs       FS
	dir      string
	names    []string
	report   *CheckReport
	fn       func(Progress)
	progress progress
	keepOpen bool // run leaves the data files open, for Repair

	uuid    [16]byte
	state   manifestState
	listed  bool // the MANIFEST could be read
	results map[uint32]*fileCheck
	known   map[uint32]*fileCheck // sealed files that an earlier run found good
}

// fileCheck is what the check of a data file found.
type fileCheck struct {
	file    *dataFile
	damaged bool
	read    bool // it, and its hint file, could be read to the end
	// good are the frames that can be kept, in order, as ranges of offsets, gaps
	// what is between them, and runs the records that can be kept of that.
	good []frameRange
	gaps []frameRange
	runs []recordRun
	// Of the frames and records that can be kept:
	frames, records, tombstones int64
	recordBytes, tombBytes      int64
	minSeq, maxSeq              uint64
	// Of a log file that is not sealed, what Open takes.
	openFrames, openRecords, openBytes int64
	hint                               *hintEncoder // what the hint file has to say; nil: not wanted
}

// frameRange is a run of good frames, or a gap between them.
type frameRange struct{ from, to int64 }

func (c *checker) run() error {
	if err := c.readManifest(); err != nil {
		return err
	}
	c.results = map[uint32]*fileCheck{}
	if c.progress.work == "" {
		c.progress.begin("check", 0, c.fn)
		for _, n := range slices.Sorted(maps.Keys(c.state.files)) {
			c.progress.total += c.state.files[n].size
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.state.files)) {
		if known := c.known[n]; known != nil && known.file.meta == c.state.files[n] {
			c.results[n] = known
			continue
		}
		r, err := c.checkData(c.state.files[n])
		c.results[n] = r
		if err != nil {
			return inFile(dataFileName(n), err)
		}
	}
	if c.listed {
		if err := c.judgeLog(); err != nil {
			return err
		}
	}
	c.judgeLosses()
	if err := c.explainLosses(); err != nil {
		return err
	}
	c.checkOthers()
	c.countGood()
	if c.keepOpen {
		return nil
	}
	return c.close()
}

// close closes the data files.
func (c *checker) close() error {
	var errs []error
	for _, r := range c.results {
		if r != nil && r.file.file != nil {
			errs = append(errs, r.file.file.Close())
			r.file.file = nil
		}
	}
	return errors.Join(errs...)
}

// readManifest takes the list of files from the MANIFEST or, if that cannot be
// read, from the names in the directory.
func (c *checker) readManifest() error {
	m, cut, err := openManifest(c.fs, c.dir, true)
	if err == nil {
		c.state, c.uuid, c.listed = m.snapshotState(), m.uuid, true
		if cut > 0 {
			c.report.note(manifestName, m.end, "a torn tail of %d bytes, which the next Open cuts", cut)
		}
		return m.close()
	}
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		c.report.add(corrupt.File, corrupt.Offset, "%s", corrupt.Reason)
	case isNotExist(err) && slices.Contains(c.names, unfinishedName):
		return ErrUnfinishedBackup
	case isNotExist(err):
		if !slices.ContainsFunc(c.names, isDataName) {
			return fmt.Errorf("%s holds no database", c.dir)
		}
		c.report.add(manifestName, 0, "it is missing")
	default:
		return err
	}
	c.state = manifestState{files: map[uint32]fileMeta{}}
	for _, name := range c.names {
		if n, suffix, ok := parseFileName(name); ok && suffix == dataSuffix {
			c.unlisted(n)
		}
	}
	return nil
}

func isDataName(name string) bool {
	_, suffix, ok := parseFileName(name)
	return ok && suffix == dataSuffix
}

// unlisted adds a data file to the list by what its own header and footer say.
func (c *checker) unlisted(number uint32) {
	name := dataFileName(number)
	f, err := c.fs.Open(filepath.Join(c.dir, name), true)
	if err != nil {
		c.report.add(name, 0, "%s", bareText(err))
		return
	}
	defer f.Close() //nolint:errcheck // it was only read
	size, err := f.Size()
	if err != nil {
		c.report.add(name, 0, "%s", bareText(err))
		return
	}
	b := make([]byte, min(size, fileHeaderBytes))
	if err := readFull(f, b, 0); err != nil {
		c.report.add(name, 0, "%s", bareText(err))
		return
	}
	h, err := decodeFileHeader(b, name, magicData)
	if err != nil {
		c.report.add(name, 0, "%s", bareText(err))
		return
	}
	if c.uuid == [16]byte{} {
		c.uuid = h.uuid
	}
	m := fileMeta{number: number, kind: h.kind, salt: h.salt, createdMs: h.createdMs}
	if size >= fileHeaderBytes+footerBytes {
		b := make([]byte, footerBytes)
		if err := readFull(f, b, size-footerBytes); err == nil {
			if sealed, reason := decodeFooter(b, m, c.uuid); reason == "" && sealed.size == size {
				m = sealed
			}
		}
	}
	c.state.files[number] = m
}

// checkData reads a whole data file. The result is nil if it cannot be read at
// all.
func (c *checker) checkData(meta fileMeta) (*fileCheck, error) {
	name := dataFileName(meta.number)
	raw, err := c.fs.Open(filepath.Join(c.dir, name), true)
	if isNotExist(err) {
		c.report.add(name, 0, "MANIFEST lists it, but it is missing")
		return nil, c.loseFile(&meta)
	}
	if err != nil {
		return nil, err
	}
	f := newDataFile(c.fs, c.dir, raw, meta)
	r := &fileCheck{file: f}
	if meta.sealed && slices.Contains(c.names, hintFileName(meta.number)) {
		r.hint = &hintEncoder{}
	}
	if err := f.checkHeader(c.uuid); err != nil {
		if !c.damage(r, err) {
			return nil, errors.Join(err, raw.Close())
		}
	}
	size, err := raw.Size()
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	limit := size
	if meta.sealed {
		limit = min(size, meta.dataEnd)
		if err := f.readFooter(c.uuid); err != nil && !c.damage(r, err) {
			c.report.add(name, meta.dataEnd, "footer: %s", bareText(err))
			r.damaged = true
		}
	}
	if err := c.scan(r, limit); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	if meta.sealed {
		c.compare(r, meta)
	}
	if err := c.rescue(r, limit); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	err = c.checkHint(r, meta)
	r.read = err == nil
	return r, err
}

// damage adds a CorruptError to the report. It reports whether err is one.
func (c *checker) damage(r *fileCheck, err error) bool {
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) {
		return false
	}
	r.damaged = true
	c.report.add(corrupt.File, corrupt.Offset, "%s", corrupt.Reason)
	return true
}

// scan reads the frames of a file up to limit, going on behind what is bad. In a
// sealed file everything bad is damage; in the log, judgeLog decides.
func (c *checker) scan(r *fileCheck, limit int64) error {
	f := r.file
	done := c.progress.done.Load()
	for at := int64(fileHeaderBytes); at < limit; {
		from := at
		end, reason, err := f.scanFrames(at, limit, func(fr *frame) error {
			if fr.flags&frameFooter != 0 {
				return errFooter
			}
			c.progress.set(done + fr.end())
			return r.frame(fr)
		})
		if end > from {
			r.good = append(r.good, frameRange{from, end})
		}
		if errors.Is(err, errFooter) {
			return nil
		}
		if err != nil || reason == "" {
			return err
		}
		if at, err = nextFrame(f, end+1, limit); err != nil {
			return err
		}
		r.gaps = append(r.gaps, frameRange{end, at})
		if f.meta.sealed {
			r.damaged = true
			c.report.add(f.name(), end, "%s; this damages a frame, %d bytes up to the next good one", reason, at-end)
		}
	}
	return nil
}

// frame counts a good frame.
func (r *fileCheck) frame(fr *frame) error {
	if _, err := fr.checkRecords(); err != nil {
		return err
	}
	r.frames++
	return fr.eachRecord(func(rec *record, seq uint64, offset int64, size int) error {
		if r.hint != nil {
			r.hint.add(rec, seq, offset)
		}
		r.count(rec, seq, size)
		return nil
	})
}

// count counts a record that can be kept.
func (r *fileCheck) count(rec *record, seq uint64, size int) {
	r.records++
	r.recordBytes += int64(size)
	if rec.kind == kindTombstone || rec.kind == kindElemTombstone {
		r.tombstones++
		r.tombBytes += int64(size)
	}
	if r.minSeq == 0 || seq < r.minSeq {
		r.minSeq = seq
	}
	r.maxSeq = max(r.maxSeq, seq)
}

// nextFrame returns the offset of the next valid frame header from from on, or
// limit.
func nextFrame(f *dataFile, from, limit int64) (int64, error) {
	r := blockReader{src: f.file, limit: limit}
	for at := from; at < limit; {
		b, err := r.at(at, blockBytes)
		if err != nil {
			return limit, err
		}
		for i := 0; i+frameHeaderBytes <= len(b); i++ {
			if b[i] != frameMagic&0xff {
				continue
			}
			h, reason := decodeFrameHeader(b[i:], f.salted)
			if reason == "" && at+int64(i)+frameHeaderBytes+int64(h.payloadLen) <= limit {
				return at + int64(i), nil
			}
		}
		if at+int64(len(b)) >= limit {
			break
		}
		at += int64(len(b)) - frameHeaderBytes + 1
	}
	return limit, nil
}

// compare holds what was read against what the footer says.
func (c *checker) compare(r *fileCheck, meta fileMeta) {
	if r.damaged {
		return
	}
	got := meta
	got.records, got.recordBytes = uint64(r.records), r.recordBytes
	got.tombstones, got.tombBytes = uint64(r.tombstones), r.tombBytes
	got.minSeq, got.maxSeq = r.minSeq, r.maxSeq
	if got != meta {
		r.damaged = true
		c.report.add(r.file.name(), meta.dataEnd, "it holds %s; its footer says %s", got.text(), meta.text())
	}
}

// checkHint holds the hint file of a good data file against the data.
func (c *checker) checkHint(r *fileCheck, meta fileMeta) error {
	if r.hint == nil || r.damaged {
		return nil
	}
	name := hintFileName(meta.number)
	f, err := c.fs.Open(filepath.Join(c.dir, name), true)
	if isNotExist(err) {
		return nil // removed since; who needs it makes it again
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	want := encodeHint(&meta, c.uuid, r.hint)
	r.hint = nil
	got := make([]byte, len(want))
	if err == nil && size == int64(len(want)) {
		err = readFull(f, got, 0)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return inFile(name, err)
	}
	if size != int64(len(want)) || !bytes.Equal(got, want) {
		c.report.note(name, 0, "it does not say what its data file holds; the next Open does without it, if it can tell")
	}
	return nil
}

// judgeLog reads the log files that are not sealed as Open does, and takes over what
// that says of them. It goes on behind the first damage: with the next file.
func (c *checker) judgeLog() error {
	var files []*dataFile
	for _, n := range slices.Sorted(maps.Keys(c.results)) {
		if r := c.results[n]; r != nil && !r.file.meta.sealed {
			files = append(files, r.file)
		}
	}
	in := tailReader{c.fs, c.dir, c.uuid}
	next := c.state.counters.logEnd
	var torn []logTail
	for len(files) > 0 {
		tails, err := in.replayAll(files, next, func(i int, next uint64) (logTail, uint64, bool, error) {
			r := c.results[files[i].number]
			t, after, gap, err := in.replay(files[i], next, func(fr *frame, n int) error {
				r.openFrames++
				r.openRecords += int64(n)
				r.openBytes += int64(len(fr.payload))
				return nil
			})
			return t, after, gap, inFile(files[i].name(), err)
		})
		for _, t := range tails {
			if t.cut > 0 {
				torn = append(torn, t)
			}
		}
		if err == nil {
			break
		}
		corrupt, is := errors.AsType[*CorruptError](err)
		if !is {
			return err
		}
		c.report.add(corrupt.File, corrupt.Offset, "%s", corrupt.Reason)
		if n, _, ok := parseFileName(corrupt.File); ok && c.results[n] != nil {
			c.results[n].damaged = true
		}
		for _, f := range files[:len(tails)+1] {
			next = max(next, c.results[f.number].maxSeq+1)
		}
		files = files[len(tails)+1:]
	}
	c.noteTorn(torn)
	return nil
}

// noteTorn says what the next Open cuts. A database that is damaged is refused, and
// Repair keeps every whole frame behind a torn one.
func (c *checker) noteTorn(tails []logTail) {
	refused := c.report.Damaged()
	for _, t := range tails {
		if refused {
			c.report.note(t.file.name(), t.dataEnd, "the log ends here: %s", t.reason)
			continue
		}
		c.report.TornBytes += t.cut
		c.report.note(t.file.name(), t.dataEnd, "the log ends here: %s; %d bytes, which the next Open cuts", t.reason, t.cut)
	}
}

// countGood counts what is good: what Open takes or, if it refuses the database, what
// Repair keeps.
func (c *checker) countGood() {
	refused := c.report.Damaged()
	for _, r := range c.results {
		if r == nil {
			continue
		}
		c.report.Files++
		if c.listed && !refused && !r.file.meta.sealed {
			r.frames, r.records, r.recordBytes = r.openFrames, r.openRecords, r.openBytes
		}
		c.report.Frames += r.frames
		c.report.Records += r.records
		c.report.Bytes += r.recordBytes
	}
}

// checkOthers looks at hint files, and for files that are not listed.
func (c *checker) checkOthers() {
	for _, name := range c.names {
		number, suffix, ok := parseFileName(name)
		if !ok {
			if name == manifestTmpName {
				c.report.note(name, 0, "left behind by a crash; the next Open removes it")
			}
			continue
		}
		_, listed := c.state.files[number]
		switch {
		case !listed || suffix != dataSuffix && suffix != hintSuffix:
			c.report.note(name, 0, "MANIFEST does not list it; the next Open removes it if it holds nothing new")
		}
	}
	slices.SortStableFunc(c.report.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
}
