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
//	Hash    2         packed (packed.go): field, value, ... -
//	Hash    2         -                             OrderHash: field -> value
//	List    3         packed: element, ...          -
//	List    3         -                             OrderBytes: 8-byte position -> element
//	Set     4         packed: member, ...           -
//	Set     4         -                             OrderHash: member -> nothing
//	ZSet    5         packed: member, score, ...    -
//	ZSet    5         -                             OrderScore: member -> 8-byte score (score.go)
//	fields  15        -                             OrderScore: field -> 8-byte time (fieldttl.go)
//
// The last is the expiries of a hash's fields, under the hash's key in another
// keyspace of the engine: every database has two (space.go).
//
// The type is the lower half of the tag. The upper half marks what OBJECT ENCODING
// tells of the value's past: of a String 0x10 changed in place, 0x20 a float's sum;
// of the others 0x10 that Redis would have converted it (tagConverted). A Hash with
// expiring fields has 0x20 (tagFieldTTL).
//
// A collection is small, all of it in its head, up to 128 entries (a set of
// integers: any number), 4 KiB and the entries that the *-max-listpack-* settings
// allow (a hash more bytes, if hash-max-listpack-value is above 2 KiB); every
// change writes the head. Then it is large, for good: every element
// is a record of its own, and the head is written when the key is created, and
// when its type, encoding or expiry change. The number of elements is the length
// of the engine's collection; it is nowhere written.
//
// # How a type is built on collections
//
// A type is a row of kinds (kind.go), which makes TYPE, COPY, OBJECT ENCODING,
// MEMORY USAGE, DEBUG DIGEST and SCAN TYPE work, and a file with its commands as
// methods of a struct{ tx *Tx } that a method of Tx returns, after beginCommand.
// A command opens coll values (collection.go):
//
//	openRead(key, tag)   for reading; counts the hit, sets the clock, checks the type
//	openWrite(key, tag)  for changing; a key that does not exist is an empty coll
//	create(key, tag)     for a result that replaces the key, and ends with replace
//	len get put remove each   what is in it, in either form (see each of them)
//	small, big           the two forms, for what those methods do not do: places
//	                     in packed items, positions and ranks in an engine.Collection
//	makeRoom, grow       before something is added to small by hand; big may be set
//	                     after it. position n of a list that grew is listKey(listOrigin
//	                     + n*listGap)
//	tag                  gets tagConverted as soon as Redis would have converted
//	finish(n, event)     ends n changes: head, deletion when empty, "new" and "del"
//	                     events, WATCH, dirty
//
// len, get, put, remove, each, scan and random treat a field whose time has come as
// missing; dropEntry, size and eachThere do not. Only a Hash can have such fields.
//
// A write that fails in the middle is passed to Tx.fail, which makes the whole
// transaction fail; the methods above do that. What a command returns (views of a
// small collection, Item, Element) is good until the next command begins.
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
//	evict.go                     removing keys when memory is short
//	kind.go collection.go packed.go  what all types of collection share
//	collscan.go                  walks over a collection, and random entries of it
//	hash.go fieldttl.go          Hash; its fields that expire
//	list.go listedit.go          List; how one changes, positions of a large one
//	set.go setops.go             Set; intersections, unions, differences
//	sort.go                      SORT
//	await.go                     waiting for a key to hold something (BLPOP)
//	score.go                     scores as bytes
//	geo.go geosearch.go sine.go  positions, distances, searches
//	space.go                     the engine's keyspaces
//	scan.go glob.go slot.go      SCAN, KEYS, RANDOMKEY; patterns; hash slots
//	object.go clock.go digest.go OBJECT, access clocks, DEBUG DIGEST
//
// # Locks
//
// A Tx holds the engine's shard locks from Begin to Commit. Above them there is only
// evictor.mu: one key after the other is evicted under it. Below them there are
// only watchShard.mu and awaitShard.mu, one at a time, held for a few map
// operations. Options.OnEvent is called without locks.
package types
