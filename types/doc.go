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
package types
