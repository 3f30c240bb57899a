package types

import "errors"

// What a command can fail with. Package resp maps each to Redis's text.
var (
	// ErrWrongType: the key holds a value of another type.
	ErrWrongType = errors.New("types: wrong type")
	// ErrNotInteger: the value, or an argument, is not a 64-bit integer.
	ErrNotInteger = errors.New("types: not an integer or out of range")
	// ErrNotFloat: the value, or an argument, is not a float.
	ErrNotFloat = errors.New("types: not a valid float")
	// ErrOverflow: the sum does not fit 64 bits.
	ErrOverflow = errors.New("types: increment or decrement would overflow")
	// ErrNaN: the sum is not a finite number.
	ErrNaN = errors.New("types: increment would produce NaN or Infinity")
	// ErrInfinite: an argument is infinite ("value is NaN or Infinity").
	ErrInfinite = errors.New("types: value is NaN or Infinity")
	// ErrHashNotInteger: HINCRBY of a value that is not an integer.
	ErrHashNotInteger = errors.New("types: hash value is not an integer")
	// ErrHashNotFloat: HINCRBYFLOAT of a value that is not a float.
	ErrHashNotFloat = errors.New("types: hash value is not a float")
	// ErrScoreNaN: the sum of an infinite score and its opposite.
	ErrScoreNaN = errors.New("types: resulting score is not a number")
	// ErrSortScore: SORT of what is no number, without ALPHA.
	ErrSortScore = errors.New("types: score to sort by is not a number")
	// ErrNoKey: the key does not exist, in a command that needs it to.
	ErrNoKey = errors.New("types: no such key")
	// ErrIndex: the list has no element at this index.
	ErrIndex = errors.New("types: index out of range")
	// ErrTooLong: the string would be longer than MaxValueBytes.
	ErrTooLong = errors.New("types: string exceeds maximum allowed size")
	// ErrOffset: a negative offset.
	ErrOffset = errors.New("types: offset is out of range")
	// ErrSameObject: source and destination are one key.
	ErrSameObject = errors.New("types: source and destination objects are the same")
	// ErrDBRange: no database has this number.
	ErrDBRange = errors.New("types: DB index is out of range")
	// ErrExpireTime: an expiry that is not positive where it must be, or that
	// does not fit 64 bits ("invalid expire time in 'x' command").
	ErrExpireTime = errors.New("types: invalid expire time")
	// ErrNotHLL: the string is not a HyperLogLog.
	ErrNotHLL = errors.New("types: not a valid HyperLogLog string value")
	// ErrCorruptHLL: the string looks like a HyperLogLog and its registers cannot be.
	ErrCorruptHLL = errors.New("types: corrupted HyperLogLog")
	// ErrDenseHLL: the HyperLogLog is not sparse, in a command that needs it to be.
	ErrDenseHLL = errors.New("types: HyperLogLog encoding is not sparse")
	// ErrDumpVersion: a DUMP payload of a newer version, or damaged on its way.
	ErrDumpVersion = errors.New("types: DUMP payload version or checksum are wrong")
	// ErrDumpFormat: a DUMP payload that makes no sense.
	ErrDumpFormat = errors.New("types: bad data format")
	// ErrLCSType: LCS of a key that is not a string ("The specified keys must
	// contain string values").
	ErrLCSType = errors.New("types: LCS of a value that is not a string")
	// ErrLCSTooLong: LCS of a string of 4 GiB ("String too long for LCS").
	ErrLCSTooLong = errors.New("types: string too long for LCS")
	// ErrLCSMemory: the table of LCS would be larger than MaxValueBytes
	// ("Insufficient memory, transient memory for LCS exceeds
	// proto-max-bulk-len").
	ErrLCSMemory = errors.New("types: transient memory for LCS exceeds the limit")
)
