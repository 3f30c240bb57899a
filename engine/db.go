package engine

import "context"

// DB is an open database. It is safe for concurrent use.
type DB struct {
	opt Options
	// E1 owns the rest.
}

// Open opens the database in dir, which is made if it does not exist, and takes
// its lock. It loads the keydir, cuts a torn tail (saying so in the log) and
// refuses damage anywhere else with a CorruptError.
func Open(dir string, opt Options) (*DB, error) { panic("E1") }

// Close waits for transactions and background work, syncs, seals the active
// file and unlocks the directory. It returns the first error it met.
func (db *DB) Close() error { panic("E1") }

// Ack returns once the log up to seq, a result of Tx.Commit, is as safe as the
// sync policy says: held by the operating system, or, with SyncAlways, on the
// disk. Callers wait together. It costs nothing if that is so already. An error
// (ErrFailed) means: do not acknowledge.
func (db *DB) Ack(seq uint64) error { panic("E1") }

// Sync forces everything committed so far to the disk, whatever the policy.
func (db *DB) Sync() error { panic("E1") }

// SetSync changes the sync policy.
func (db *DB) SetSync(p SyncPolicy) { panic("E1") }

// ShardOf returns the shard of a key.
func (db *DB) ShardOf(key []byte) int { panic("E1") }

// Shards returns the number of shards.
func (db *DB) Shards() int { return db.opt.Shards }

// Len returns the number of keys in a keyspace, expired ones included. O(1).
func (db *DB) Len(space int) int { panic("E1") }

// ExpireStats returns how many keys of a keyspace have an expiry, and the
// average of those in Unix milliseconds. O(1).
func (db *DB) ExpireStats(space int) (keys int, averageMs int64) { panic("E1") }

// Get returns the value of a key in keyspace 0, in a slice of its own, or
// ErrNotFound.
func (db *DB) Get(key []byte) ([]byte, error) { panic("E1") }

// Put writes a key in keyspace 0 and acknowledges it as the sync policy says.
func (db *DB) Put(key, value []byte) error { panic("E1") }

// PutExpire is Put with an absolute expiry in Unix milliseconds.
func (db *DB) PutExpire(key, value []byte, expireMs int64) error { panic("E1") }

// Delete removes a key of keyspace 0. Removing a key that is not there is no
// error and writes nothing.
func (db *DB) Delete(key []byte) error { panic("E1") }

// Merge rewrites immutable files whose share of dead bytes is at least ratio
// (0: all of them) and gives their space back. Reads and writes go on
// meanwhile. It returns ErrMergeRunning if one is running.
func (db *DB) Merge(ctx context.Context, ratio float64) error { panic("E3") }

// Backup writes a consistent copy, as of some moment during the call, into dir,
// which must be empty or missing. Immutable files are linked where the file
// system allows it. The copy opens as a database.
func (db *DB) Backup(ctx context.Context, dir string) error { panic("E3") }
