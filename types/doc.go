// Package types is Redis's semantics as functions over an engine transaction:
// what SET, EXPIRE or RENAME mean, without the wire. A Store is an engine with
// numbered databases, a clock, expiry and statistics; a Tx is one command's, or
// one EXEC's, view of it. Functions take keys and values as byte slices, which
// they copy where they keep them, and return results or one of the sentinels of
// errors.go, which package resp turns into Redis's texts.
//
// # Key layout
//
//	type    head tag  head value                    elements (CollectionID, subkey) -> value
//	String  1         the bytes, up to 16 KiB       -
//	String  1         8-byte length                 OrderBytes: 4-byte chunk number -> up to 16 KiB
//	Hash, Set, List, ZSet: not built yet; tags 2, 4, 3, 5 are theirs.
//
// The type is the lower half of the tag. The upper half of a String's marks what
// OBJECT tells of its past: 0x10 changed in place, 0x20 a sum of floats, 0x40 a
// copy.
//
// # Where things are
//
//	store.go tx.go stats.go      Store, Tx: looking keys up, counting
//	hook.go watch.go             what follows from every change: events, WATCH
//	string.go stringbig.go       String: whole in its head, or in chunks
//	number.go longdouble.go      INCR and INCRBYFLOAT
//	lcs.go                       LCS
//	keyspace.go expire.go        commands for keys of any type, and their expiry
//	expirycycle.go               removing what has expired
//	scan.go glob.go slot.go      SCAN, KEYS, RANDOMKEY; patterns; hash slots
//	object.go clock.go digest.go OBJECT, access clocks, DEBUG DIGEST
//
// # Locks
//
// A Tx holds the engine's shard locks from Begin to Commit. Below them there is
// only watchShard.mu, held for a few map operations. Options.OnEvent is called
// without locks.
package types
