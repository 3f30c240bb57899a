package types

// ExpireUnit says what the number in an expiry option means.
type ExpireUnit uint8

// The units: of EX, PX, EXAT and PXAT.
const (
	Seconds ExpireUnit = iota
	Millis
	AtSeconds
	AtMillis
)

// ExpireMs turns the number given to EXPIRE and its kin into Unix milliseconds:
// any number but one that overflows is good. ErrExpireTime otherwise.
func (tx *Tx) ExpireMs(n int64, unit ExpireUnit) (int64, error) { panic("Y") }

// PositiveExpireMs is ExpireMs for SET, SETEX, PSETEX and GETEX: n must be
// positive too.
func (tx *Tx) PositiveExpireMs(n int64, unit ExpireUnit) (int64, error) { panic("Y") }

// ExpireCond is a set of conditions on changing an expiry. NX with any other,
// and GT with LT, are for the caller to refuse.
type ExpireCond uint8

// The conditions of EXPIRE: the key has none, has one, has an earlier, a later one.
const (
	ExpireNX ExpireCond = 1 << iota
	ExpireXX
	ExpireGT
	ExpireLT
)

// Expire sets the expiry of a key to Unix milliseconds, as ExpireMs returns
// them. A time that has come deletes the key. It returns false if the key does
// not exist or a condition forbade it.
func (k Keyspace) Expire(key []byte, atMs int64, cond ExpireCond) bool { panic("Y") }

// Persist removes the expiry. It returns false if the key has none.
func (k Keyspace) Persist(key []byte) bool { panic("Y") }

// TTL is the time left in seconds, rounded; -1: for ever; -2: no such key.
func (k Keyspace) TTL(key []byte) int64 { panic("Y") }

// PTTL is TTL in milliseconds.
func (k Keyspace) PTTL(key []byte) int64 { panic("Y") }

// ExpireTime is the expiry in Unix seconds, rounded; -1 and -2 as TTL.
func (k Keyspace) ExpireTime(key []byte) int64 { panic("Y") }

// PExpireTime is ExpireTime in milliseconds.
func (k Keyspace) PExpireTime(key []byte) int64 { panic("Y") }
