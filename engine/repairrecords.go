package engine

// This file finds the records that can be kept of damaged frames. A frame of a log
// file is a transaction, whole or not at all. A frame of a merged file is only a
// run of copied records, each with a checksum of its own: all the good ones are
// kept. The one question is how new they are: record i of a frame has the number
// base+i, so behind a damaged record it takes to know how many were lost.
//
//   - A valid hint file has the number of each record by its offset.
//   - Without one, the footer (or MANIFEST) tells how many records the file has,
//     and so how many are lost. If that agrees with what the lengths in the damaged
//     records say, or if there is one place only whose number of lost records is
//     open, the numbers of all others follow.
//   - Else only the records before the damage are kept: a wrong number could put
//     an old value in place of a newer one.

// recordRun is a run of good records of a damaged frame.
type recordRun struct {
	from, to int64 // offsets
	base     uint64
	count    uint64
}

// rescue finds the good records in the gaps between good frames, and notes the
// loss of the others.
func (c *checker) rescue(r *fileCheck, limit int64) error {
	meta := &r.file.meta
	if limit < meta.dataEnd {
		r.gaps = append(r.gaps, frameRange{limit, meta.dataEnd})
	}
	entries, err := c.hintEntries(meta)
	if err != nil {
		return err
	}
	if entries == nil {
		unnumbered := int64(0)
		if meta.kind == fileMerged {
			if unnumbered, err = r.rescueTiled(limit); err != nil {
				return err
			}
		}
		if meta.sealed && (len(r.gaps) > 0 || r.damaged) {
			l := newLoss(meta, r)
			l.Unnumbered = unnumbered
			c.report.Losses = append(c.report.Losses, l)
		}
		return nil
	}
	l := &Loss{}
	l.startHinted()
	if err := r.rescueHinted(entries, limit, l); err != nil {
		return err
	}
	if len(r.gaps) > 0 || r.damaged {
		known := newLoss(meta, r)
		l.File, l.Records, l.Tombstones = known.File, known.Records, known.Tombstones
		c.report.Losses = append(c.report.Losses, l)
	}
	return nil
}

// rescueHinted looks at each place in a gap where the hint file has a record.
func (r *fileCheck) rescueHinted(entries []byte, limit int64, l *Loss) error {
	meta := &r.file.meta
	gaps := r.gaps
	in := blockReader{src: r.file.file, limit: limit}
	var failed error
	eachHinted(meta, entries, func(e *loadRecord, seq uint64, offset int64) {
		for len(gaps) > 0 && gaps[0].to <= offset {
			gaps = gaps[1:]
		}
		if len(gaps) == 0 || offset < gaps[0].from || failed != nil {
			return
		}
		if meta.kind == fileMerged && offset < limit {
			b, err := in.at(offset, maxRecordOverhead+len(e.key)+int(e.size))
			if err != nil {
				failed = err
				return
			}
			var rec record
			n, reason := decodeRecord(b, &rec)
			if reason == "" && rec.kind == e.kind && string(rec.key) == string(e.key) && offset+int64(n) <= gaps[0].to {
				r.keepRecord(&rec, seq, offset, n)
				return
			}
		}
		l.add(e, seq)
	})
	return failed
}

// keepRecord adds a good record to the runs.
func (r *fileCheck) keepRecord(rec *record, seq uint64, offset int64, size int) {
	r.count(rec, seq, size)
	if n := len(r.runs); n > 0 {
		last := &r.runs[n-1]
		if last.to == offset && last.base+last.count == seq && last.to-last.from+int64(size) <= mergeFrameBytes {
			last.to += int64(size)
			last.count++
			return
		}
	}
	r.runs = append(r.runs, recordRun{offset, offset + int64(size), seq, 1})
}

// tilePart is a part of the payload of a damaged frame.
type tilePart struct {
	from, to int
	// count is the number of records: of good ones, or of a lost one whose length
	// could be read; 0: it is not known how many are lost here.
	count int64
	good  bool
}

// tiledFrame is a damaged frame whose header is good.
type tiledFrame struct {
	offset  int64 // of the payload
	base    uint64
	payload []byte
	parts   []tilePart
}

// rescueTiled finds the records in the gaps of a merged file by themselves. It
// returns how many good ones could not be numbered.
func (r *fileCheck) rescueTiled(limit int64) (unnumbered int64, err error) {
	var frames []tiledFrame
	var good, lost, open int64 // open: places where an unknown number is lost
	for _, gap := range r.gaps {
		f, err := r.tiledFrame(gap, limit)
		if err != nil {
			return 0, err
		}
		if f == nil || f.offset+int64(len(f.payload)) < gap.to {
			open++
		}
		if f == nil {
			continue
		}
		frames = append(frames, *f)
		for _, p := range f.parts {
			switch {
			case p.good:
				good += p.count
			case p.count == 0:
				open++
			default:
				lost += p.count
			}
		}
	}
	missing := int64(r.file.meta.records) - r.records - good
	known := r.file.meta.sealed && (open == 0 && lost == missing || open == 1 && lost == 0 && missing > 0)
	for i := range frames {
		unnumbered += r.keepTiled(&frames[i], known, missing)
	}
	return unnumbered, nil
}

// tiledFrame reads the frame at the start of a gap; nil if its header is bad.
func (r *fileCheck) tiledFrame(gap frameRange, limit int64) (*tiledFrame, error) {
	to := min(gap.to, limit)
	if to-gap.from < frameHeaderBytes {
		return nil, nil
	}
	b := make([]byte, frameHeaderBytes)
	if err := readFull(r.file.file, b, gap.from); err != nil {
		return nil, err
	}
	h, reason := decodeFrameHeader(b, r.file.salted)
	if reason != "" || h.flags != frameMerged || int64(h.payloadLen) > to-gap.from-frameHeaderBytes {
		return nil, nil
	}
	f := &tiledFrame{offset: gap.from + frameHeaderBytes, base: h.baseSeq, payload: make([]byte, h.payloadLen)}
	if err := readFull(r.file.file, f.payload, f.offset); err != nil {
		return nil, err
	}
	f.parts = tile(f.payload)
	return f, nil
}

// tile takes the payload of a damaged frame apart.
func tile(payload []byte) (parts []tilePart) {
	add := func(p tilePart) {
		if n := len(parts); n > 0 && p.good && parts[n-1].good {
			parts[n-1].to, parts[n-1].count = p.to, parts[n-1].count+1
			return
		}
		parts = append(parts, p)
	}
	var rec record
	for at := 0; at < len(payload); {
		b := payload[at:]
		n, reason := decodeRecord(b, &rec)
		if reason == "" {
			add(tilePart{at, at + n, 1, true})
			at += n
			continue
		}
		if n = claimedBytes(&rec, reason); n > 0 && recordBeginsAt(payload, at+n) {
			add(tilePart{at, at + n, 1, false})
			at += n
			continue
		}
		next := at + 1
		for ; next < len(payload); next++ {
			// A longer frame is, but after a repair, a single record: to look for
			// others in there is long work for nothing.
			if len(payload) > mergeFrameBytes {
				next = len(payload)
				break
			}
			if _, reason := decodeRecord(payload[next:], &rec); reason == "" {
				break
			}
		}
		add(tilePart{at, next, 0, false})
		at = next
	}
	return parts
}

// recordBeginsAt reports whether the payload ends at an offset, or has a good
// record there.
func recordBeginsAt(payload []byte, at int) bool {
	var rec record
	_, reason := decodeRecord(payload[min(at, len(payload)):], &rec)
	return at == len(payload) || reason == ""
}

// claimedBytes is the length that a damaged record says it has, 0 if it cannot be
// so: what decodeRecord refused for its checksum alone has all its fields.
func claimedBytes(r *record, reason string) int {
	if reason != reasonRecordChecksum {
		return 0
	}
	switch r.kind {
	case kindPut:
		return int(putRecordBytes(r.space, len(r.key), len(r.value), r.flags))
	case kindExpire:
		return int(expireRecordBytes(r.space, len(r.key)))
	case kindTombstone:
		return int(expireRecordBytes(r.space, len(r.key))) - 8
	case kindElemPut:
		return int(elemRecordBytes(r.coll, len(r.key), len(r.value)))
	case kindElemTombstone:
		return int(elemRecordBytes(r.coll, len(r.key), 0)) - 1
	case kindSpaceMap:
		return 5 + uvarintLen(uint64(r.number)) + uvarintLen(uint64(r.space))
	default:
		return 0
	}
}

// keepTiled keeps the good records of a frame: all of them if what is lost is
// known, else those before the damage. It returns how many it does not keep.
func (r *fileCheck) keepTiled(f *tiledFrame, known bool, missing int64) (unnumbered int64) {
	seq := f.base
	certain := true
	for _, p := range f.parts {
		switch {
		case !p.good:
			certain = known
			if p.count == 0 {
				p.count = missing
			}
			seq += uint64(p.count)
		case !certain:
			unnumbered += p.count
		default:
			var rec record
			for at := p.from; at < p.to; seq++ {
				n, _ := decodeRecord(f.payload[at:], &rec) // it was good above
				r.keepRecord(&rec, seq, f.offset+int64(at), n)
				at += n
			}
		}
	}
	return unnumbered
}
