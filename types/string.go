package types

// String is the String commands over a transaction.
type String struct{ tx *Tx }

// Value is a value that was found, not yet read.
type Value struct {
	tx *Tx
	// Y owns the rest.
}

// Len is the length in bytes; no disk is read for it.
func (v *Value) Len() int { panic("Y") }

// AppendTo appends the bytes to dst. It may read the disk.
func (v *Value) AppendTo(dst []byte) ([]byte, error) { panic("Y") }
