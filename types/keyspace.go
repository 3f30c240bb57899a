package types

// Keyspace is the commands for keys of any type over a transaction.
type Keyspace struct{ tx *Tx }

// Del removes a key, DEL and UNLINK alike: the memory of a large value is given
// back in the background in any case. It reports whether the key existed.
func (k Keyspace) Del(key []byte) bool { panic("Y") }

// Exists reports whether a key exists, without touching its access clock.
func (k Keyspace) Exists(key []byte) bool { panic("Y") }

// Touch is Exists that sets the access clock (TOUCH), even with NO-TOUCH.
func (k Keyspace) Touch(key []byte) bool { panic("Y") }

// Type returns the name of a key's type as TYPE says it: "none" if there is no
// such key.
func (k Keyspace) Type(key []byte) string { panic("Y") }

// Rename moves a key over another one. ErrNoKey if it does not exist. If nx, it
// does nothing and returns false if the destination exists.
func (k Keyspace) Rename(from, to []byte, nx bool) (done bool, err error) { panic("Y") }

// Copy copies a key to key to of database toDB, over an existing one only if
// replace. ErrDBRange and ErrSameObject say what they say.
func (k Keyspace) Copy(from, to []byte, toDB int, replace bool) (done bool, err error) { panic("Y") }

// Move moves a key to another database. It does nothing and returns false if it
// does not exist here or exists there. ErrDBRange and ErrSameObject as Copy.
func (k Keyspace) Move(key []byte, toDB int) (done bool, err error) { panic("Y") }

// SwapDB exchanges two databases. REQUIRES: all shards locked for writing.
// ErrDBRange: one of them does not exist.
func (k Keyspace) SwapDB(a, b int) error { panic("Y") }

// FlushDB removes every key of the transaction's database. REQUIRES: as SwapDB.
func (k Keyspace) FlushDB() { panic("Y") }

// FlushAll removes every key of every database. REQUIRES: as SwapDB.
func (k Keyspace) FlushAll() { panic("Y") }

// Size is DBSIZE: expired keys that are still there count, as in Redis.
func (k Keyspace) Size() int64 { panic("Y") }

// Random appends a random key of the database to dst, each with about the same
// chance. ok is false if there is none.
func (k Keyspace) Random(dst []byte) (key []byte, ok bool) { panic("Y") }

// Keys calls fn for every key that matches a pattern (see Match), until fn returns
// false. Keys that begin with the literal beginning of the pattern are visited,
// no others. key is valid during fn. fn must not use the transaction.
func (k Keyspace) Keys(pattern []byte, fn func(key []byte) bool) { panic("Y") }

// ScanOptions filter a Scan.
type ScanOptions struct {
	Match []byte // pattern; nil: all keys
	Count int    // about how many keys to visit; 0: 10
	Type  string // name of a type, any case; "": all. An unknown name matches nothing
}

// Scan visits some keys from a cursor on and returns the cursor for the next
// call, 0 at the end; a walk begins at 0. Any cursor value is safe. A key that
// exists from the beginning of a walk to its end is visited exactly once,
// whatever else happens. key is valid during fn. fn must not use the transaction.
func (k Keyspace) Scan(cursor uint64, o ScanOptions, fn func(key []byte)) (next uint64) { panic("Y") }
