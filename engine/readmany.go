package engine

import "runtime/debug"

// valueRun is what reading one value after the other keeps between them.
type valueRun struct {
	on     bool
	file   *dataFile // of the last value that was read here
	data   []byte    // what of the file is mapped and written
	offset int64     // of the record that is read, or was read last
	// from and to are what the system was asked about last, and said is in memory;
	// cold says that some of what it was asked about is not.
	from, to int64
	cold     bool
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
		r.from, r.to, r.cold = 0, 0, false
	}
	offset := e.loc.offset()
	if offset >= int64(len(r.data)) {
		return nil, false
	}
	if tx.fetch != nil && !r.inMemory(tx.db, offset, maxRecordOverhead+len(e.Subkey)+e.Size) {
		return nil, false
	}
	if r.head == nil || r.coll != e.coll || r.keyLen != len(e.Subkey) || r.valueLen != e.Size {
		r.coll, r.keyLen, r.valueLen = e.coll, len(e.Subkey), e.Size
		r.head = appendElementHead(r.headRoom[:0], uint64(r.coll), r.keyLen, r.valueLen)
	}
	r.offset = offset
	return elementValue(r.data[offset:], r.head, e.Subkey, e.Size)
}

// runWindow is how much the system is asked about at once: values that are read one
// after the other lie together more often than not, in one direction or the other.
const runWindow = 64 << 10

// inMemory reports whether n bytes at offset can be read without waiting for the
// disk. It is false if that cannot be told so cheaply.
func (r *valueRun) inMemory(db *DB, offset int64, n int) bool {
	if !db.residency.pressed.Load() && r.file.isWarm(offset, n) {
		return true
	}
	end := min(offset+int64(n), int64(len(r.data)))
	if r.from <= offset && end <= r.to {
		return true
	}
	if r.cold || n > runWindow/2 {
		return false
	}
	from, to := max(offset-runWindow/2, 0), min(offset+runWindow/2, int64(len(r.data)))
	if int64(residentBytes(r.data[from:to])) != to-from {
		r.cold = true
		return false
	}
	r.from, r.to = from, to
	return true
}
