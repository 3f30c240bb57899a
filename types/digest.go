package types

// Digest is DEBUG DIGEST: a hash over every key, type, value and whether it
// expires, of all databases, the same as Redis's for the same data in whatever
// order. REQUIRES: all shards locked, for the answer to be of one moment.
func (k Keyspace) Digest() ([20]byte, error) { panic("Y") }

// DigestValue is DEBUG DIGEST-VALUE: zeros for a key that does not exist.
func (k Keyspace) DigestValue(key []byte) ([20]byte, error) { panic("Y") }
