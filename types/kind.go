package types

import (
	"fmt"

	"bitkv/engine"
)

// Type marks: the lower four bits of a head's tag. They are on disk and never
// change.
const (
	tagString = 1
	tagHash   = 2
	tagList   = 3
	tagSet    = 4
	tagZSet   = 5

	tagTypeMask = 0x0f
)

// tagConverted, beside the type of a Hash, Set or ZSet, says that Redis would
// have left its compact encoding by now (hashtable instead of listpack or intset,
// skiplist instead of listpack). It never goes back, in Redis neither. It is on
// disk and never changes.
const tagConverted = 0x10

// tagFieldTTL, in the tag of a Hash, says that fields of it have an expiry: see
// fieldttl.go. It is on disk and never changes.
const tagFieldTTL = 0x20

// hasFieldTTL reports whether a tag is that of a Hash with field expiries.
func hasFieldTTL(tag uint8) bool { return tag&(tagTypeMask|tagFieldTTL) == tagHash|tagFieldTTL }

// kind is what commands for keys of any type need to know about one type. A new
// type is a row of kinds.
type kind struct {
	name       string
	tag        uint8
	digestType uint32       // its number in Redis's object, which DEBUG DIGEST has
	order      engine.Order // of the large form
	stride     int          // items of one entry in the small form; 0: no collection
	class      EventClass

	// maxPacked is the largest number of entries of the small form of a key with
	// this tag, before packedMaxEntries is considered.
	maxPacked func(l *CollectionLimits, tag uint8) int64
	// encoding is what OBJECT ENCODING says.
	encoding func(tx *Tx, h *engine.Head) (string, error)
	// digest adds the value to a digest.
	digest func(tx *Tx, k *kind, d *digest, db int, key []byte, h *engine.Head) error
	// copy writes the value to another key.
	copy func(tx *Tx, k *kind, h *engine.Head, toDB int, to []byte, m engine.Meta) error
	// memory is what the value takes in memory and on disk, the key aside.
	// samples is how many elements are looked at; 0: all.
	memory func(tx *Tx, h *engine.Head, samples int) int64
}

// kinds are the types by the type mark of their tag.
var kinds = [...]kind{
	tagString: {
		name: "string", tag: tagString, digestType: 0, class: EventString,
		encoding: (*Tx).stringEncoding, digest: (*Tx).digestString, copy: (*Tx).copyString, memory: (*Tx).stringMemory,
	},
	tagHash: {
		name: "hash", tag: tagHash, digestType: 4, order: engine.OrderHash, stride: 2, class: EventHash,
		maxPacked: func(l *CollectionLimits, _ uint8) int64 { return l.HashEntries },
		encoding:  hashEncoding,
		digest:    (*Tx).digestEntries, copy: (*Tx).copyEntries, memory: (*Tx).entriesMemory,
	},
	tagList: {
		name: "list", tag: tagList, digestType: 1, order: engine.OrderBytes, stride: 1, class: EventList,
		maxPacked: func(l *CollectionLimits, _ uint8) int64 { return l.listEntries() },
		encoding:  encodings("quicklist", "quicklist"),
		digest:    (*Tx).digestList, copy: (*Tx).copyEntries, memory: (*Tx).entriesMemory,
	},
	tagSet: {
		name: "set", tag: tagSet, digestType: 2, order: engine.OrderHash, stride: 1, class: EventSet,
		maxPacked: (*CollectionLimits).setEntries,
		encoding:  encodings("intset", "hashtable"),
		digest:    (*Tx).digestEntries, copy: (*Tx).copyEntries, memory: (*Tx).entriesMemory,
	},
	tagZSet: {
		name: "zset", tag: tagZSet, digestType: 3, order: engine.OrderScore, stride: 2, class: EventZSet,
		maxPacked: func(l *CollectionLimits, _ uint8) int64 { return l.ZSetEntries },
		encoding:  encodings("listpack", "skiplist"),
		digest:    (*Tx).digestEntries, copy: (*Tx).copyEntries, memory: (*Tx).entriesMemory,
	},
}

// kindOf returns the type of a head, or nil if the tag says none that is known.
func kindOf(tag uint8) *kind {
	if mark := tag & tagTypeMask; int(mark) < len(kinds) && kinds[mark].tag != 0 {
		return &kinds[mark]
	}
	return nil
}

// knownKind is kindOf that takes an unknown type for damage.
func knownKind(tag uint8) (*kind, error) {
	if k := kindOf(tag); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("types: a key of unknown type %#x: %w", tag, engine.ErrCorrupt)
}

// typeName is the name of the type that a head's tag marks.
func typeName(tag uint8) string {
	if k := kindOf(tag); k != nil {
		return k.name
	}
	return "unknown"
}

// encodings is kind.encoding for a type that Redis converts once.
func encodings(compact, converted string) func(*Tx, *engine.Head) (string, error) {
	return func(_ *Tx, h *engine.Head) (string, error) {
		if h.Tag&tagConverted != 0 {
			return converted, nil
		}
		return compact, nil
	}
}

func hashEncoding(_ *Tx, h *engine.Head) (string, error) {
	switch {
	case h.Tag&tagConverted != 0:
		return "hashtable", nil
	case h.Tag&tagFieldTTL != 0:
		return "listpackex", nil
	}
	return "listpack", nil
}

// CollectionLimits are the settings up to which Redis keeps a collection in a
// compact encoding. They decide what OBJECT ENCODING says, and the numbers of
// entries bound the small form of collections as well.
type CollectionLimits struct {
	HashEntries, HashValue int64 // hash-max-listpack-entries, hash-max-listpack-value
	SetInts                int64 // set-max-intset-entries
	SetEntries             int64 // set-max-listpack-entries
	ZSetEntries, ZSetValue int64 // zset-max-listpack-entries, zset-max-listpack-value
	ListSize               int64 // list-max-listpack-size: entries; negative: a size class
}

// defaultCollectionLimits are Redis's.
func defaultCollectionLimits() CollectionLimits {
	return CollectionLimits{
		HashEntries: 512, HashValue: 64, SetInts: 512, SetEntries: 128,
		ZSetEntries: 128, ZSetValue: 64, ListSize: -2,
	}
}

// listEntries is how many entries ListSize allows. A size class allows more bytes
// than the small form takes, and so any number.
func (l *CollectionLimits) listEntries() int64 {
	if l.ListSize < 0 {
		return packedMaxEntries
	}
	return l.ListSize
}

func (l *CollectionLimits) setEntries(tag uint8) int64 {
	if tag&tagConverted == 0 {
		return l.SetInts
	}
	return l.SetEntries
}

// SetCollectionLimits changes the limits, for what is written from now on.
func (s *Store) SetCollectionLimits(l CollectionLimits) { s.limits.Store(&l) }
