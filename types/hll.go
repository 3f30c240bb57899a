package types

import (
	"strconv"

	"bitkv/engine"
)

// HLL is the HyperLogLog commands over a transaction, which is one for writing
// (but see Count). A HyperLogLog is a string: see sketch.go.
type HLL struct{ tx *Tx }

// HLL returns the HyperLogLog commands over this transaction.
func (tx *Tx) HLL() HLL { return HLL{tx} }

// defaultMaxSparseHLL is Redis's hll-sparse-max-bytes.
const defaultMaxSparseHLL = 3000

// SetMaxSparseHLL sets how long a HyperLogLog may be in its sparse form
// (hll-sparse-max-bytes).
func (s *Store) SetMaxSparseHLL(n int64) { s.maxSparseHLL.Store(n) }

// hll is a HyperLogLog that was found, or is to be made.
type hll struct {
	tx      *Tx
	key     []byte
	head    engine.Head
	existed bool
	cut     bool // sketch is not all of it
	sketch  sketch
}

// loadHLL reads the HyperLogLog that a key was found to be. ErrWrongType or
// ErrNotHLL if it is none. Of one that is far too long it has the header alone,
// which makes it a damaged one. The sketch is the caller's.
func (tx *Tx) loadHLL(key []byte, head *engine.Head) (h hll, err error) {
	h = hll{tx: tx, key: key, head: *head, existed: true}
	v, err := tx.valueOf(head)
	if err != nil {
		return h, err
	}
	n := v.Len()
	begin := v.Slice(0, min(n, sketchHeader))
	if n > sketchMaxBytes {
		h.cut, n = true, sketchHeader
	}
	buf, err := begin.AppendTo(make([]byte, 0, n+8))
	if err != nil {
		return h, err
	}
	if !isSketch(buf, v.Len()) {
		return h, ErrNotHLL
	}
	rest := v.Slice(sketchHeader, n)
	h.sketch, err = rest.AppendTo(buf)
	return h, err
}

// forWrite finds a HyperLogLog in order to change it. If there is none and create,
// it is an empty one.
func (h HLL) forWrite(key []byte, create bool) (found hll, err error) {
	head, ok := h.tx.forWrite(h.tx.db, key)
	if ok {
		return h.tx.loadHLL(key, &head)
	}
	found = hll{tx: h.tx, key: key}
	if create {
		found.sketch = newSketch()
	}
	return found, nil
}

// store writes the HyperLogLog. Like all that changes a string in place, it leaves
// a "raw" one.
func (h *hll) store() error {
	m := h.tx.putMeta(tagString|tagRaw, h.head.ExpireMs, &h.head, h.existed)
	h.tx.noteOverwritten(h.tx.db, h.key, &h.head, h.existed)
	if err := h.tx.putString(h.tx.db, h.key, h.sketch, m); err != nil {
		return h.tx.fail(err)
	}
	h.tx.notifyNew(h.tx.db, h.key, h.existed)
	return nil
}

// raise lifts one register. It reports whether it was lower.
func (h *hll) raise(index int, value byte) (changed bool, err error) {
	s, changed, ok := h.sketch.raise(index, value, h.tx.s.maxSparseHLL.Load())
	if !ok {
		return false, ErrCorruptHLL
	}
	h.sketch = s
	return changed, nil
}

// Add is PFADD. It reports whether a register changed, or the key is new. If it
// meets damage, ErrCorruptHLL, it keeps what it had raised before, as Redis does,
// and tells nobody.
func (h HLL) Add(key []byte, elements [][]byte) (changed bool, err error) {
	found, err := h.forWrite(key, true)
	if err != nil {
		return false, err
	}
	changes := int64(0)
	if !found.existed {
		changes = 1
	}
	for _, element := range elements {
		raised, err := found.raise(registerOf(element))
		if err != nil && changes > 0 {
			if err := found.store(); err != nil {
				return false, err
			}
		}
		if err != nil {
			return false, err
		}
		if raised {
			changes++
		}
	}
	if changes == 0 {
		return false, nil
	}
	found.sketch.dropCached()
	if err := found.store(); err != nil {
		return false, err
	}
	h.tx.dirty += changes - 1
	h.tx.signalModified(h.tx.db, key, EventString, "pfadd")
	return true, nil
}

// Count is PFCOUNT: about how many different elements were added to the keys, all
// together. That of a single key is written into it, for the next time, if the
// transaction can.
func (h HLL) Count(keys [][]byte) (n uint64, err error) {
	if len(keys) == 1 {
		return h.countOne(keys[0])
	}
	var all registers
	for _, key := range keys {
		head, ok := h.tx.read(key, withTouch)
		if !ok {
			continue
		}
		found, err := h.tx.loadHLL(key, &head)
		if err != nil {
			return 0, err
		}
		if !all.merge(found.sketch) {
			return 0, ErrCorruptHLL
		}
	}
	counts := all.histogram()
	return counts.estimate(), nil
}

func (h HLL) countOne(key []byte) (n uint64, err error) {
	head, ok := h.tx.read(key, withTouch)
	if !ok {
		return 0, nil
	}
	found, err := h.tx.loadHLL(key, &head)
	if err != nil {
		return 0, err
	}
	if n, ok := found.sketch.cached(); ok {
		return n, nil
	}
	counts, ok := found.sketch.histogram()
	if !ok {
		return 0, ErrCorruptHLL
	}
	n = counts.estimate()
	if !h.tx.write {
		return n, nil
	}
	found.sketch.setCached(n)
	if err := found.store(); err != nil {
		return 0, err
	}
	h.tx.dirty++
	h.tx.touchWatchers(h.tx.db, key)
	return n, nil
}

// Merge is PFMERGE: it makes the destination the union of all, itself included.
func (h HLL) Merge(to []byte, from [][]byte) error {
	var all registers
	dense := false
	for i := -1; i < len(from); i++ {
		key := to
		if i >= 0 {
			key = from[i]
		}
		head, ok := h.tx.read(key, withTouch)
		if !ok {
			continue
		}
		found, err := h.tx.loadHLL(key, &head)
		if err != nil {
			return err
		}
		dense = dense || !found.sketch.isSparse()
		if !all.merge(found.sketch) {
			return ErrCorruptHLL
		}
	}
	found, err := h.forWrite(to, true)
	if err != nil {
		return err
	}
	if dense {
		if err := found.toDense(); err != nil {
			return err
		}
	}
	for i, value := range all {
		if value == 0 {
			continue
		}
		if _, err := found.raise(i, value); err != nil {
			return err
		}
	}
	found.sketch.dropCached()
	if err := found.store(); err != nil {
		return err
	}
	h.tx.signalModified(h.tx.db, to, EventString, "pfadd")
	return nil
}

// toDense gives a sparse one the dense form, in memory.
func (h *hll) toDense() error {
	if !h.sketch.isSparse() {
		return nil
	}
	dense, ok := h.sketch.toDense()
	if !ok {
		return ErrCorruptHLL
	}
	h.sketch = dense
	return nil
}

// ToDense gives a HyperLogLog the dense form (PFDEBUG TODENSE). It reports whether
// it was sparse. ErrNoKey if there is none.
func (h HLL) ToDense(key []byte) (converted bool, err error) {
	found, err := h.debug(key)
	if err != nil || !found.sketch.isSparse() {
		return false, err
	}
	if err := found.toDense(); err != nil {
		return false, err
	}
	h.tx.dirty++
	return true, found.store()
}

// debug finds a HyperLogLog that has to exist.
func (h HLL) debug(key []byte) (hll, error) {
	found, err := h.forWrite(key, false)
	if err == nil && !found.existed {
		err = ErrNoKey
	}
	return found, err
}

// Registers returns the registers (PFDEBUG GETREG). Like Redis's it leaves the
// HyperLogLog in the dense form. ErrNoKey if there is none.
func (h HLL) Registers(key []byte) ([]byte, error) {
	if _, err := h.ToDense(key); err != nil {
		return nil, err
	}
	found, err := h.debug(key)
	if err != nil {
		return nil, err
	}
	r := new(registers)
	r.merge(found.sketch)
	return r[:], nil
}

// Encoding is PFDEBUG ENCODING. ErrNoKey if there is no such key.
func (h HLL) Encoding(key []byte) (name string, err error) {
	found, err := h.debug(key)
	switch {
	case err != nil:
		return "", err
	case found.sketch.isSparse():
		return "sparse", nil
	default:
		return "dense", nil
	}
}

// Decode appends the codes of a sparse HyperLogLog in readable form to dst (PFDEBUG
// DECODE). ErrNoKey if there is none, ErrDenseHLL if it is dense.
func (h HLL) Decode(dst, key []byte) ([]byte, error) {
	found, err := h.debug(key)
	if err != nil {
		return dst, err
	}
	s := found.sketch
	switch {
	case !s.isSparse():
		return dst, ErrDenseHLL
	case found.cut:
		return dst, ErrCorruptHLL
	}
	for at := sketchHeader; at < len(s); {
		c := s.codeAt(at)
		if at > sketchHeader {
			dst = append(dst, ' ')
		}
		switch {
		case c.value != 0:
			dst = append(dst, 'v', ':')
			dst = strconv.AppendInt(dst, int64(c.value), 10)
			dst = append(dst, ',')
		case s[at]&0x40 == 0:
			dst = append(dst, 'z', ':')
		default:
			dst = append(dst, 'Z', ':')
		}
		dst = strconv.AppendInt(dst, int64(c.run), 10)
		at += c.length
	}
	return dst, nil
}
