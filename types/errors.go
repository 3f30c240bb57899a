package types

import "errors"

// What a command can fail with. Package resp maps each to Redis's text.
var (
	ErrWrongType    = errors.New("types: wrong type")
	ErrNotInteger   = errors.New("types: not an integer or out of range")
	ErrNotFloat     = errors.New("types: not a valid float")
	ErrOverflow     = errors.New("types: increment or decrement would overflow")
	ErrNaN          = errors.New("types: increment would produce NaN or Infinity")
	ErrNoKey        = errors.New("types: no such key")
	ErrTooLong      = errors.New("types: string exceeds maximum allowed size")
	ErrOffset       = errors.New("types: offset is out of range")
	ErrSameObject   = errors.New("types: source and destination objects are the same")
	ErrDBRange      = errors.New("types: DB index is out of range")
)
