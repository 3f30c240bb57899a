package types

// Encoding is OBJECT ENCODING, in the words of Redis 7.0: the form the value
// would have there. It does not touch the key.
func (k Keyspace) Encoding(key []byte) (name string, ok bool, err error) { panic("Y") }

// RefCount is OBJECT REFCOUNT: 1, or 2147483647 for the small integers that
// Redis shares.
func (k Keyspace) RefCount(key []byte) (n int64, ok bool, err error) { panic("Y") }

// IdleSeconds is OBJECT IDLETIME: seconds since the last access. A key not
// accessed since Open counts from Open on. The caller refuses it when the access
// clock is LFU.
func (k Keyspace) IdleSeconds(key []byte) (n int64, ok bool) { panic("Y") }

// Freq is OBJECT FREQ: the decayed LFU counter. The caller refuses it when the
// access clock is not LFU.
func (k Keyspace) Freq(key []byte) (n int64, ok bool) { panic("Y") }

// MemoryUsage is MEMORY USAGE: an estimate of the bytes that a key and its value
// take, wherever they are: the value's bytes on disk count as if they were in
// memory, so that the numbers rank keys as Redis's do.
func (k Keyspace) MemoryUsage(key []byte) (n int64, ok bool) { panic("Y") }
