package engine

import (
	"errors"
	"fmt"
)

// This file reads the log files that were not sealed, and decides where the log ends
// and what of it is damage. Open and Check both do so by it: what Check calls good is
// what Open takes.

// tailReader reads the log files of a directory that were not sealed.
type tailReader struct {
	fs   FS
	dir  string
	uuid [16]byte
}

// logTail is a log file that was not sealed, as far as it is good.
type logTail struct {
	file    *dataFile
	dataEnd int64
	known   int64 // of it, what the last frame says to be synced
	cut     int64 // bytes past dataEnd up to the last one that is not zero
	reason  string
}

// errFooter ends a scan at a footer: the file was about to be sealed.
var errFooter = errors.New("footer")

// replay reads a log file that was not sealed, giving each good frame, and the number
// of its records, to fn. next is the sequence number that the log has to go on with. A
// file may begin below it, with frames that the file before has as well: those were
// written again after a failed sync. One that begins above it comes after a gap, which
// gap says.
func (r tailReader) replay(f *dataFile, next uint64, fn func(fr *frame, n int) error) (t logTail, after uint64, gap bool, err error) {
	// Check may read what a server is writing: nothing may be expected of the file but
	// what was promised before its frames are read.
	marked, offset := readSyncMark(r.fs, r.dir, r.uuid)
	size, err := f.file.Size()
	if err != nil {
		return t, next, false, err
	}
	t.file, t.known = f, fileHeaderBytes
	expect := uint64(0) // in this file; 0: any
	end, reason, err := f.scanFrames(fileHeaderBytes, size, func(fr *frame) error {
		if fr.flags&frameFooter != 0 {
			return errFooter
		}
		n, err := fr.checkRecords()
		if err != nil {
			return err
		}
		if expect == 0 && fr.baseSeq > next {
			gap = true
			return &badRecordError{fmt.Sprintf("the log goes on at sequence number %d, expected %d", fr.baseSeq, next)}
		}
		if expect != 0 && fr.baseSeq != expect {
			return &badRecordError{fmt.Sprintf("frame has sequence number %d, expected %d", fr.baseSeq, expect)}
		}
		expect = fr.baseSeq + uint64(n)
		next = max(next, expect)
		t.known = max(t.known, min(int64(fr.knownSynced), fr.offset))
		return fn(fr, n)
	})
	if errors.Is(err, errFooter) {
		err, reason = nil, ""
	}
	if err != nil {
		return t, next, gap, err
	}
	t.dataEnd, t.reason = end, reason
	if reason != "" && !gap {
		t.cut, err = checkTail(f, end, size, fileEnd{f, end}, reason)
	}
	if err == nil && marked == f.number && end < offset {
		err = markError(f, end, offset, reason)
	}
	return t, next, gap, err
}

// checkTail decides whether what follows offset from is part of a torn tail that
// begins at bad. It is damage if a frame in it says that the disk had more than
// from of this file already: files are synced in order. The result is the number
// of bytes up to the last one that is not zero.
func checkTail(f *dataFile, from, size int64, bad fileEnd, reason string) (cut int64, err error) {
	r := blockReader{src: f.file, limit: size}
	for at := from; at < size; {
		b, err := r.at(at, blockBytes)
		if err != nil {
			return 0, err
		}
		for i := range b {
			if b[i] != 0 {
				cut = at + int64(i) + 1 - from
			}
			if i+frameHeaderBytes > len(b) || b[i] != frameMagic&0xff {
				continue
			}
			h, invalid := decodeFrameHeader(b[i:], f.salted)
			if invalid == "" && int64(h.knownSynced) > from {
				return 0, &CorruptError{File: bad.file.name(), Offset: bad.offset, Reason: fmt.Sprintf(
					"%s, but a frame at %d of %s says that the disk had everything up to %d",
					reason, at+int64(i), f.name(), h.knownSynced)}
			}
		}
		if at+int64(len(b)) >= size {
			break
		}
		at += int64(len(b)) - frameHeaderBytes + 1
	}
	return cut, nil
}

// replayAll reads log files that were not sealed, in order, by replay, which is told
// the index of the file. Past a gap the log is over: what follows is a suffix that the
// disk took without what came before. With an error, the tails are those of the files
// before the one at which it was found.
func (r tailReader) replayAll(files []*dataFile, next uint64,
	replay func(i int, next uint64) (t logTail, after uint64, gap bool, err error),
) (tails []logTail, err error) {
	var bad fileEnd
	reason := ""
	for i, f := range files {
		if f.kind != fileLog {
			return tails, &CorruptError{File: manifestName, Offset: 0, Reason: f.name() + " is a merged file that is not sealed"}
		}
		if reason == "" {
			t, after, gap, err := replay(i, next)
			if err != nil {
				return tails, err
			}
			next = after
			if !gap {
				tails = append(tails, t)
				continue
			}
			reason = t.reason
			bad = fileEnd{f, fileHeaderBytes}
			if n := len(tails); n > 0 {
				bad = fileEnd{tails[n-1].file, tails[n-1].dataEnd}
			}
		}
		size, err := f.file.Size()
		if err != nil {
			return tails, err
		}
		cut, err := checkTail(f, fileHeaderBytes, size, bad, reason)
		if err != nil {
			return tails, inFile(f.name(), err)
		}
		tails = append(tails, logTail{file: f, dataEnd: fileHeaderBytes, cut: cut, reason: reason})
	}
	return tails, nil
}
