package types

import (
	"encoding/binary"
	"hash/maphash"
)

// Types of values in RDB. The numbers are Redis's and never change.
const (
	rdbString         = 0
	rdbList           = 1
	rdbSet            = 2
	rdbZSetText       = 3
	rdbHash           = 4
	rdbZSet           = 5
	rdbHashZipmap     = 9
	rdbListZiplist    = 10
	rdbSetIntset      = 11
	rdbZSetZiplist    = 12
	rdbHashZiplist    = 13
	rdbQuicklist      = 14
	rdbHashListpack   = 16
	rdbZSetListpack   = 17
	rdbQuicklist2     = 18
	rdbSetListpack    = 20
	rdbHashTTLOld     = 22 // expiries are absolute
	rdbHashTTLPackOld = 23 // without the first expiry in front
	rdbHashTTL        = 24 // expiries are relative to the first one, which is in front
	rdbHashTTLPack    = 25
)

// rdbTags are the types of this package by those of RDB. Streams and what modules
// make are not among them.
var rdbTags = map[byte]uint8{
	rdbString: tagString,
	rdbList:   tagList, rdbListZiplist: tagList, rdbQuicklist: tagList, rdbQuicklist2: tagList,
	rdbSet: tagSet, rdbSetIntset: tagSet, rdbSetListpack: tagSet,
	rdbZSetText: tagZSet, rdbZSet: tagZSet, rdbZSetZiplist: tagZSet, rdbZSetListpack: tagZSet,
	rdbHash: tagHash, rdbHashZipmap: tagHash, rdbHashZiplist: tagHash, rdbHashListpack: tagHash,
	rdbHashTTLOld: tagHash, rdbHashTTLPackOld: tagHash, rdbHashTTL: tagHash, rdbHashTTLPack: tagHash,
}

// maxFieldMs is the latest expiry of a field that Redis has room for.
const maxFieldMs = 1<<46 - 2

// rdbEntry is what a value in RDB has many of: field and value of a hash, a member,
// a member and its score, an element of a list as value, or a string as value.
type rdbEntry struct {
	key, value []byte
	score      float64
	expireMs   int64 // of a field; 0: none
}

// rdbValue is one value in RDB.
type rdbValue struct {
	tag      uint8
	rdbType  byte
	body     []byte
	maxBytes int64
	encoded  int // what each met that has an encoding inside, on all its walks
	entries  int // how many there are, and the length of
	longest  int // the longest key, by newRDBValue
}

// newRDBValue takes a type and, behind it, a value. ErrDumpFormat if the type is
// not known or the value is damaged: it is read to its end, and members that are
// there twice are looked for.
func newRDBValue(b []byte, maxBytes int64) (*rdbValue, error) {
	if len(b) == 0 {
		return nil, badDump("nothing")
	}
	tag, ok := rdbTags[b[0]]
	if !ok {
		return nil, badDump("type %d", b[0])
	}
	v := &rdbValue{tag: tag, rdbType: b[0], body: b[1:], maxBytes: maxBytes}
	seen := newKeySet()
	err := v.each(func(e *rdbEntry) error {
		v.entries++
		v.longest = max(v.longest, len(e.key))
		if tag != tagString && tag != tagList && !seen.add(e.key) {
			return badDump("%.40q twice", e.key)
		}
		return nil
	})
	if err == nil && v.entries == 0 {
		err = badDump("an empty collection")
	}
	return v, err
}

// keySet is a set of strings of which it keeps 16 bytes each: hashes that nobody
// can foresee.
type keySet struct {
	a, b maphash.Seed
	set  map[[2]uint64]struct{}
}

func newKeySet() *keySet {
	return &keySet{a: maphash.MakeSeed(), b: maphash.MakeSeed(), set: map[[2]uint64]struct{}{}}
}

// add reports whether the string is new.
func (s *keySet) add(key []byte) bool {
	n := len(s.set)
	s.set[[2]uint64{maphash.Bytes(s.a, key), maphash.Bytes(s.b, key)}] = struct{}{}
	return len(s.set) > n
}

// each calls fn for every entry, in order, until it returns an error, which each
// returns. What fn gets is valid until it returns. Bytes behind the value are of no
// meaning, as in Redis.
func (v *rdbValue) each(fn func(e *rdbEntry) error) error {
	r := &rdbReader{buf: v.body, maxBytes: v.maxBytes}
	switch v.rdbType {
	case rdbString:
		value, err := r.bytes()
		if err != nil {
			return err
		}
		return fn(&rdbEntry{value: value})
	case rdbList, rdbSet, rdbHash, rdbZSet, rdbZSetText:
		return v.readPlain(r, fn)
	case rdbQuicklist, rdbQuicklist2:
		return v.readQuicklist(r, fn)
	case rdbHashTTL, rdbHashTTLOld:
		return v.readHashTTL(r, fn)
	default:
		return v.readPacked(r, fn)
	}
}

// readPlain reads the encodings without any structure: a count, and strings.
func (v *rdbValue) readPlain(r *rdbReader, fn func(e *rdbEntry) error) error {
	n, err := r.count()
	var e rdbEntry
	for ; n > 0 && err == nil; n-- {
		first, readErr := r.bytes()
		if readErr != nil {
			return readErr
		}
		e.key = first
		switch v.rdbType {
		case rdbList:
			e.key, e.value = nil, first
		case rdbHash:
			e.value, err = r.bytes()
		case rdbZSet:
			e.score, err = r.binaryScore()
		case rdbZSetText:
			e.score, err = r.textScore()
		}
		if err == nil {
			err = fn(&e)
		}
	}
	return err
}

// Containers of a node of a quicklist.
const (
	nodePlain  = 1 // one element
	nodePacked = 2 // a listpack
)

func (v *rdbValue) readQuicklist(r *rdbReader, fn func(e *rdbEntry) error) error {
	nodes, err := r.count()
	for ; nodes > 0 && err == nil; nodes-- {
		container := uint64(nodePacked)
		if v.rdbType == rdbQuicklist2 {
			if container, err = r.length(); err != nil {
				return err
			}
		}
		v.encoded++
		node, readErr := r.bytes()
		switch {
		case readErr != nil:
			return readErr
		case container == nodePlain && len(node) > 0:
			err = fn(&rdbEntry{value: node})
		case container == nodePacked && v.rdbType == rdbQuicklist2:
			err = eachElement(node, newListpack, fn)
		case container == nodePacked:
			err = eachElement(node, newZiplist, fn)
		default:
			return badDump("quicklist node of container %d and %d bytes", container, len(node))
		}
	}
	return err
}

// eachElement calls fn for the items of an encoding, each an element of a list.
func eachElement[T rdbItems](b []byte, open func([]byte) (T, error), fn func(e *rdbEntry) error) error {
	items, err := open(b)
	if err != nil {
		return err
	}
	var e rdbEntry
	for {
		item, ok, err := items.next()
		if err != nil || !ok {
			return err
		}
		e.value = item
		if err := fn(&e); err != nil {
			return err
		}
	}
}

// readHashTTL reads a hash of plain strings with an expiry before each field.
func (v *rdbValue) readHashTTL(r *rdbReader, fn func(e *rdbEntry) error) error {
	var first uint64
	var err error
	if v.rdbType == rdbHashTTL {
		if first, err = r.uint64(binary.LittleEndian); err != nil {
			return err
		}
	}
	n, err := r.count()
	var e rdbEntry
	for ; n > 0 && err == nil; n-- {
		at, readErr := r.length()
		if readErr != nil {
			return readErr
		}
		if at != 0 && v.rdbType == rdbHashTTL {
			if at += first - 1; at < first-1 {
				return badDump("expiry of a field, after %d", first)
			}
		}
		if e.expireMs, err = fieldMs(at); err != nil {
			return err
		}
		if e.key, err = r.bytes(); err != nil {
			return err
		}
		if e.value, err = r.bytes(); err == nil {
			err = fn(&e)
		}
	}
	return err
}

// fieldMs checks the expiry of a field.
func fieldMs(at uint64) (int64, error) {
	if at > maxFieldMs {
		return 0, badDump("expiry %d of a field", at)
	}
	return int64(at), nil
}

// readPacked reads the types that are one string with a structure of its own.
func (v *rdbValue) readPacked(r *rdbReader, fn func(e *rdbEntry) error) error {
	if v.rdbType == rdbHashTTLPack {
		if _, err := r.take(8); err != nil { // the first expiry
			return err
		}
	}
	b, err := r.bytes()
	if err != nil {
		return err
	}
	v.encoded++
	var items rdbItems
	switch v.rdbType {
	case rdbSetIntset:
		return eachOfIntset(b, func(member []byte) error { return fn(&rdbEntry{key: member}) })
	case rdbListZiplist:
		return eachElement(b, newZiplist, fn)
	case rdbHashZipmap:
		items, err = newZipmap(b)
	case rdbHashZiplist, rdbZSetZiplist:
		items, err = newZiplist(b)
	default:
		items, err = newListpack(b)
	}
	if err != nil {
		return err
	}
	for {
		e, ok, err := v.nextPacked(items)
		if err != nil || !ok {
			return err
		}
		if err := fn(&e); err != nil {
			return err
		}
	}
}

// nextPacked makes an entry of one, two or three items.
func (v *rdbValue) nextPacked(items rdbItems) (e rdbEntry, ok bool, err error) {
	if e.key, ok, err = items.next(); err != nil || !ok || v.rdbType == rdbSetListpack {
		return e, ok, err
	}
	if e.value, err = oneMore(items); err != nil {
		return e, false, err
	}
	switch {
	case v.tag == tagZSet:
		e.score, err = packedScore(e.value)
		e.value = nil
	case v.rdbType == rdbHashTTLPack || v.rdbType == rdbHashTTLPackOld:
		text, moreErr := oneMore(items)
		if moreErr != nil {
			return e, false, moreErr
		}
		at, isInt := ParseInt(text)
		if !isInt || at < 0 {
			return e, false, badDump("expiry %.40q of a field", text)
		}
		e.expireMs, err = fieldMs(uint64(at))
	}
	return e, err == nil, err
}

// oneMore returns an item that has to be there.
func oneMore(items rdbItems) ([]byte, error) {
	item, ok, err := items.next()
	if err == nil && !ok {
		err = badDump("an entry without its value")
	}
	return item, err
}
