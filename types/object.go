package types

import (
	"errors"
	"math"

	"bitkv/engine"
)

const (
	// embstrMax is the longest string that Redis stores beside its object.
	embstrMax = 44
	// sharedInts is the number of small integers that Redis shares.
	sharedInts = 10_000

	// What a key, an element (or chunk) and a large collection take in the keydir
	// beside their bytes, about.
	keyOverhead        = 80
	elementOverhead    = 48
	collectionOverhead = 256
)

// Encoding is OBJECT ENCODING, in the words of Redis 7.0: the form the value
// would have there. It does not touch the key.
func (k Keyspace) Encoding(key []byte) (name string, ok bool, err error) {
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return "", false, nil
	}
	kind, err := knownKind(h.Tag)
	if err != nil {
		return "", false, err
	}
	name, err = kind.encoding(k.tx, &h)
	return name, err == nil, err
}

func (tx *Tx) stringEncoding(h *engine.Head) (string, error) {
	v, err := tx.valueOf(h)
	if err != nil {
		return "", err
	}
	switch {
	case h.Tag&tagRaw != 0, v.Len() > embstrMax:
		return "raw", nil
	case h.Tag&tagText != 0, v.Len() > maxIntLen:
		return "embstr", nil
	}
	if _, isInt, err := tx.maybeInt(&v); !isInt {
		return "embstr", err
	}
	return "int", nil
}

// maybeInt reads a value as an integer, if it is one.
func (tx *Tx) maybeInt(v *Value) (n int64, ok bool, err error) {
	n, err = tx.intOf(v)
	if errors.Is(err, ErrNotInteger) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// RefCount is OBJECT REFCOUNT: 1, or 2147483647 for the small integers that
// Redis shares (not when COPY made them).
func (k Keyspace) RefCount(key []byte) (n int64, ok bool, err error) {
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return 0, false, nil
	}
	if h.Tag != tagString {
		return 1, true, nil
	}
	v, err := k.tx.valueOf(&h)
	if err != nil {
		return 0, false, err
	}
	value, isInt, err := k.tx.maybeInt(&v)
	if isInt && 0 <= value && value < sharedInts {
		return math.MaxInt32, true, nil
	}
	return 1, err == nil, err
}

// IdleSeconds is OBJECT IDLETIME: seconds since the last access. A key not
// accessed since Open counts from Open on. The caller refuses it when the access
// clock is LFU.
func (k Keyspace) IdleSeconds(key []byte) (n int64, ok bool) {
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return 0, false
	}
	return idleSeconds(k.tx.eng.Clock(&h), k.tx.nowMs, k.tx.s.openMs), true
}

// Freq is OBJECT FREQ: the decayed LFU counter. The caller refuses it when the
// access clock is not LFU.
func (k Keyspace) Freq(key []byte) (n int64, ok bool) {
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return 0, false
	}
	return int64(k.tx.s.access.Load().decayed(k.tx.eng.Clock(&h), k.tx.nowMs, k.tx.s.openMs)), true
}

// MemoryUsage is MEMORY USAGE: an estimate of the bytes that a key and its value
// take, wherever they are: the value's bytes on disk count as if they were in
// memory, so that the numbers rank keys as Redis's do. The elements of a large
// collection are estimated from so many samples; 0 means all of them.
func (k Keyspace) MemoryUsage(key []byte, samples int) (n int64, ok bool) {
	h, ok := k.tx.find(k.tx.db, key)
	if !ok {
		return 0, false
	}
	n = keyOverhead + int64(len(key))
	if kind := kindOf(h.Tag); kind != nil {
		n += kind.memory(k.tx, &h, samples)
	}
	return n, true
}

func (tx *Tx) stringMemory(h *engine.Head, _ int) int64 {
	n := int64(h.Size)
	if c := h.Collection(); c != nil {
		n += int64(c.Len()) * (elementOverhead + chunkBytes)
	}
	return n
}

// entriesMemory is kind.memory of a collection. Its samples are spread evenly.
func (tx *Tx) entriesMemory(h *engine.Head, samples int) int64 {
	c := h.Collection()
	if c == nil {
		return int64(h.Size)
	}
	count := c.Len()
	if samples == 0 || samples > count {
		samples = count
	}
	var bytes int64
	for i := range samples {
		e := c.At(int(int64(i) * int64(count) / int64(samples)))
		bytes += int64(len(e.Subkey)) + int64(e.Size)
	}
	return collectionOverhead + int64(count)*elementOverhead + bytes*int64(count)/int64(max(samples, 1))
}
