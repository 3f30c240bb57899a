package types

import "bitkv/engine"

// window is how single bits and bytes of a string are read and changed. It holds
// a part of the string: all of it if the head has it, else one chunk. A chunk that
// was changed is written when the window moves on, and finish writes the rest, so
// that many changes in one place are one record. While a window is in use nobody
// else uses the transaction's scratch buffer: it is the window's.
type window struct {
	tx      *Tx
	key     []byte
	head    engine.Head // of the key as it was; valid if existed
	existed bool
	grown   bool // the string was shorter, or did not exist
	len     int  // the length of the string

	coll  *engine.Collection // nil: buf is the whole string
	moved bool               // coll is new
	chunk int                // number of the chunk in buf, -1: none
	buf   []byte             // the string, or the chunk: zeros follow it
	dirty bool               // buf is not written yet
}

// windowOn opens a window for reading. A key that does not exist is an empty string.
func (tx *Tx) windowOn(key []byte) (w window, err error) {
	h, ok := tx.read(key, withTouch)
	return tx.newWindow(key, &h, ok)
}

// windowFor opens a window for changing. A string of fewer than minLen bytes gets
// so many: zeros follow what it has.
func (tx *Tx) windowFor(key []byte, minLen int) (w window, err error) {
	h, ok := tx.forWrite(tx.db, key)
	w, err = tx.newWindow(key, &h, ok)
	if err != nil {
		return w, err
	}
	had := w.len
	if minLen > w.len || !ok {
		w.len, w.grown = minLen, true
	}
	if w.coll == nil && w.len > maxHeadBytes {
		w.coll, w.moved = tx.eng.NewCollection(engine.OrderBytes), true
		if len(w.buf) > 0 {
			w.dirty, had = true, chunkBytes // the first chunk is written by flush
		}
	}
	if w.coll != nil {
		err = tx.fail(tx.extend(w.coll, had, w.len))
	}
	return w, err
}

func (tx *Tx) newWindow(key []byte, h *engine.Head, ok bool) (w window, err error) {
	w = window{tx: tx, key: key, head: *h, existed: ok}
	if !ok {
		return w, nil
	}
	v, err := tx.valueOf(h)
	if err != nil {
		return w, err
	}
	w.len = v.Len()
	if w.coll = h.Collection(); w.coll != nil {
		w.chunk = -1
		return w, nil
	}
	w.buf, err = v.AppendTo(tx.scratch[:0])
	tx.scratch = w.buf
	return w, err
}

// move makes the byte at an offset one of buf, where it has the offset at. left
// is how many bytes there are from there on before the window has to move.
func (w *window) move(offset int) (at, left int, err error) {
	if w.coll == nil {
		return offset, w.len - offset, nil
	}
	n := offset / chunkBytes
	at = offset - n*chunkBytes
	if n == w.chunk {
		return at, chunkBytes - at, nil
	}
	if err := w.flush(); err != nil {
		return 0, 0, err
	}
	w.chunk = n
	w.buf, err = w.tx.appendChunk(w.tx.scratch[:0], w.coll, n, 0, chunkLen(n, w.len))
	w.tx.scratch = w.buf
	return at, chunkBytes - at, err
}

// flush writes a changed chunk.
func (w *window) flush() error {
	if !w.dirty {
		return nil
	}
	w.dirty = false
	w.buf = pad(w.buf, chunkLen(w.chunk, w.len))
	key := chunkKey(w.chunk)
	_, err := w.tx.eng.PutElement(w.coll, key[:], w.buf)
	return err
}

// read fills dst with the bytes from an offset on, zeros behind the end.
func (w *window) read(dst []byte, offset int) error {
	clear(dst)
	for len(dst) > 0 && offset < w.len {
		at, left, err := w.move(offset)
		if err != nil {
			return err
		}
		n := min(len(dst), left)
		if at < len(w.buf) {
			copy(dst[:n], w.buf[at:])
		}
		dst, offset = dst[n:], offset+n
	}
	return nil
}

// write puts src at an offset. REQUIRES: offset+len(src) <= w.len.
func (w *window) write(src []byte, offset int) error {
	for len(src) > 0 {
		at, left, err := w.move(offset)
		if err != nil {
			return err
		}
		n := min(len(src), left)
		w.buf = pad(w.buf, at+n)
		w.tx.scratch = w.buf
		copy(w.buf[at:], src[:n])
		w.dirty = true
		src, offset = src[n:], offset+n
	}
	return nil
}

// finish writes what has changed. Redis's SETBIT and BITFIELD turn a string into
// a "raw" one even if its bits stay what they are, so that is written, too.
func (w *window) finish() error {
	tx := w.tx
	m := tx.putMeta(tagString|tagRaw, w.head.ExpireMs, &w.head, w.existed)
	newHead := w.grown || w.head.Tag != m.Tag
	switch {
	case w.coll == nil && (w.dirty || newHead):
		return tx.eng.Put(keySpace(tx.db), w.key, m, pad(w.buf, w.len))
	case w.coll == nil:
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if !newHead && !w.moved {
		return nil
	}
	return tx.putBig(tx.db, w.key, m, w.coll, w.len)
}
