package engine

import "runtime/debug"

// valueRun is what reading one value after the other keeps between them.
type valueRun struct {
	on     bool
	file   *dataFile // of the last value that was read here
	data   []byte    // what of the file is mapped and written
	offset int64     // of the record that is read, or was read last
	// head is the beginning of an element's record, of the lengths and the collection
	// that it had the last time.
	head     []byte
	headRoom [maxElementHead]byte
	coll     CollectionID
	keyLen   int
	valueLen int
}

// ReadMany calls fn, which reads the values of many elements with
// AppendElementValue, and returns its error. What a read has to be ready for is
// made ready once, and not for each of them. A fault of a memory map ends fn with a
// panic, which is an error of ReadMany.
func (tx *Tx) ReadMany(fn func() error) (err error) {
	r := &tx.run
	if r.on {
		return fn()
	}
	r.on = true
	defer func() { *r = valueRun{} }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case r.file == nil:
			panic(p) // not of a map
		default:
			err = tx.db.readFailed(r.file.faultError(r.offset, p))
		}
	}()
	return fn()
}

// value returns the value of an element of an immutable or flushed part of a file
// that is mapped. ok is false if it has to be read in another way. The files stay
// open: the elements that refer to them are locked while the run lasts.
func (r *valueRun) value(tx *Tx, e *Element) (value []byte, ok bool) {
	if r.file == nil || r.file.number != e.loc.file() {
		f := tx.db.files.Load().get(e.loc.file())
		if f == nil {
			return nil, false
		}
		m := f.mapped.Load()
		if m == nil {
			return nil, false
		}
		r.file, r.data = f, (*m)[:min(f.flushed.Load(), int64(len(*m)))]
	}
	offset := e.loc.offset()
	if offset >= int64(len(r.data)) {
		return nil, false
	}
	if tx.fetch != nil && (tx.db.residency.pressed.Load() || !r.file.isWarm(offset, maxRecordOverhead+len(e.Subkey)+e.Size)) {
		return nil, false
	}
	if r.head == nil || r.coll != e.coll || r.keyLen != len(e.Subkey) || r.valueLen != e.Size {
		r.coll, r.keyLen, r.valueLen = e.coll, len(e.Subkey), e.Size
		r.head = appendElementHead(r.headRoom[:0], uint64(r.coll), r.keyLen, r.valueLen)
	}
	r.offset = offset
	return elementValue(r.data[offset:], r.head, e.Subkey, e.Size)
}
