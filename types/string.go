package types

// String is the String commands over a transaction. Those that change a key
// need a transaction for writing. Get and GetRange return a Value, which is read
// (AppendTo) before the transaction writes that key or ends. So SET GET, GETSET,
// GETDEL and GETEX are Get, the reply, and then Set, Keyspace.Del or Reexpire.
type String struct{ tx *Tx }

// Value is a string that was found, not yet read. The zero Value is empty.
type Value struct {
	tx *Tx
}

// Len is the length in bytes; no disk is read for it.
func (v *Value) Len() int { panic("Y") }

// AppendTo appends the bytes to dst. It may read the disk.
func (v *Value) AppendTo(dst []byte) ([]byte, error) { panic("Y") }

// Slice returns the part of the value from byte from to byte to, which is not
// included. REQUIRES: 0 <= from <= to <= Len.
func (v *Value) Slice(from, to int) Value { panic("Y") }

// SetOptions say how Set writes. The zero value is a plain SET.
type SetOptions struct {
	// ExpireMs is the absolute expiry in Unix milliseconds; 0 means none. It
	// comes from Tx.ExpireMs.
	ExpireMs int64
	// KeepTTL keeps the expiry that the key has.
	KeepTTL bool
	// NX sets only a key that does not exist, XX only one that does.
	NX, XX bool
}

// Get returns the value of a key (GET, MGET, and first half of GETSET, GETDEL,
// SET GET). ok is false if there is none.
func (s String) Get(key []byte) (v Value, ok bool, err error) { panic("Y") }

// Reexpire is the second half of GETEX, after Get and the reply: it changes the
// expiry of a key to expireMs, or removes it if persist. A time that has come
// deletes the key. A key that does not exist stays so.
func (s String) Reexpire(key []byte, expireMs int64, persist bool) { panic("Y") }

// Set writes a key whatever type it had. done is false if NX or XX forbade it.
func (s String) Set(key, value []byte, o SetOptions) (done bool, err error) { panic("Y") }

// MSet sets pairs of key and value. REQUIRES: an even number of them.
func (s String) MSet(pairs [][]byte) error { panic("Y") }

// MSetNX is MSet that does nothing, and returns false, if any key exists.
func (s String) MSetNX(pairs [][]byte) (done bool, err error) { panic("Y") }

// Append adds to the end of a string, or makes it, and returns its new length.
func (s String) Append(key, value []byte) (newLen int64, err error) { panic("Y") }

// Len is STRLEN: 0 for a key that does not exist. It reads memory only.
func (s String) Len(key []byte) (int64, error) { panic("Y") }

// GetRange returns the part of a string between two indexes as GETRANGE and
// SUBSTR take them: negative ones count from the end, both are included.
func (s String) GetRange(key []byte, start, end int64) (Value, error) { panic("Y") }

// SetRange overwrites part of a string, padded with zero bytes up to offset, and
// returns its new length. A negative offset is ErrOffset.
func (s String) SetRange(key []byte, offset int64, value []byte) (newLen int64, err error) {
	panic("Y")
}

// IncrBy adds to an integer; a missing key is 0. INCR, DECR and DECRBY are this
// with another delta.
func (s String) IncrBy(key []byte, delta int64) (int64, error) { panic("Y") }

// IncrByFloat adds to a float as Redis does on x86, in 64-bit-mantissa long
// doubles, and appends the new value in its form to dst. incr is the argument as
// it came: ErrNotFloat if it is not a number.
func (s String) IncrByFloat(dst, key, incr []byte) ([]byte, error) { panic("Y") }
