package types

import (
	"encoding/binary"
	"hash/crc64"
	"math"
	"slices"

	"bitkv/engine"
)

// A payload of DUMP is a value as RDB has it, for RESTORE here or in Redis:
//
//	type     1 byte
//	value    by the type
//	version  2 bytes, little-endian: of RDB, that it needs
//	crc      8 bytes, little-endian: CRC-64 of Jones over everything before
//
// What DUMP writes are the plain encodings, which every Redis since 5 takes.

const (
	dumpFooter     = 10
	dumpVersion    = 9
	dumpVersionTTL = 12 // of a hash with field expiries, which only Redis 7.4 has
	maxDumpVersion = 12 // RESTORE takes everything up to it
)

var crcTable = crc64.MakeTable(0x95ac9329ac4bc9b5)

// dumpCRC is the checksum of a payload. hash/crc64 inverts before and after,
// which this one does not.
func dumpCRC(b []byte) uint64 { return ^crc64.Update(math.MaxUint64, crcTable, b) }

// checkDump checks version and checksum of a payload and returns type and value, and
// what is behind them: where lengths are damaged, Redis reads version and checksum as
// part of the value, and what it makes of that is made of it here.
func checkDump(payload []byte) ([]byte, error) {
	n := len(payload) - dumpFooter
	if n < 0 || binary.LittleEndian.Uint16(payload[n:]) > maxDumpVersion ||
		binary.LittleEndian.Uint64(payload[n+2:]) != dumpCRC(payload[:n+2]) {
		return nil, ErrDumpVersion
	}
	return payload, nil
}

// appendRDBLength appends a length: see rdbReader.
func appendRDBLength(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, rdbLen32), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, rdbLen64), n)
	}
}

func appendRDBString(dst, s []byte) []byte {
	return append(appendRDBLength(dst, uint64(len(s))), s...)
}

// Dump appends the payload of a key to dst (DUMP). ok is false if there is no such
// key.
func (k Keyspace) Dump(dst, key []byte) (out []byte, ok bool, err error) {
	tx := k.tx
	tx.beginCommand()
	h, ok := tx.read(key, withTouch)
	if !ok {
		return dst, false, nil
	}
	begin, version := len(dst), uint16(dumpVersion)
	if h.Tag&tagTypeMask == tagString {
		dst, err = tx.dumpString(dst, &h)
	} else {
		dst, version, err = tx.dumpEntries(dst, key, &h)
	}
	if err != nil {
		return dst[:begin], false, err
	}
	dst = binary.LittleEndian.AppendUint16(dst, version)
	return binary.LittleEndian.AppendUint64(dst, dumpCRC(dst[begin:])), true, nil
}

func (tx *Tx) dumpString(dst []byte, h *engine.Head) ([]byte, error) {
	v, err := tx.valueOf(h)
	if err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, v.Len()+2*dumpFooter)
	dst = appendRDBLength(append(dst, rdbString), uint64(v.Len()))
	return v.AppendTo(dst)
}

// dumpTypes are the types of RDB that DUMP writes for those of this package.
var dumpTypes = [...]byte{tagList: rdbList, tagSet: rdbSet, tagZSet: rdbZSet, tagHash: rdbHash}

// dumpEntries appends a collection and returns the version that it needs.
func (tx *Tx) dumpEntries(dst, key []byte, h *engine.Head) (out []byte, version uint16, err error) {
	kind, err := knownKind(h.Tag)
	if err != nil {
		return dst, 0, err
	}
	c, err := tx.open(tx.db, key, h, kind)
	if err != nil {
		return dst, 0, err
	}
	rdbType, version := dumpTypes[kind.tag], uint16(dumpVersion)
	first := c.firstFieldMs()
	if first != 0 {
		rdbType, version = rdbHashTTL, dumpVersionTTL
	}
	dst = append(dst, rdbType)
	if first != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
	}
	dst = appendRDBLength(dst, uint64(c.len()))
	err = c.each(func(subkey []byte, v *Item) error {
		if first != 0 {
			dst = appendRDBLength(dst, relativeMs(c.fieldExpireMs(subkey), first))
		}
		if kind.tag != tagList {
			dst = appendRDBString(dst, subkey)
		}
		switch kind.tag {
		case tagSet:
			return nil
		case tagZSet:
			score, err := v.Score()
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(score))
			return err
		}
		dst = appendRDBLength(dst, uint64(v.Len()))
		var err error
		dst, err = v.AppendTo(dst)
		return err
	})
	return dst, version, err
}

// relativeMs is an expiry of a field as type rdbHashTTL has it: 0 is none, 1 the
// first one.
func relativeMs(atMs, firstMs int64) uint64 {
	if atMs == 0 {
		return 0
	}
	return uint64(atMs-firstMs) + 1
}

// firstFieldMs is the earliest expiry of a field that has not come; 0 if there is
// none.
func (c *coll) firstFieldMs() int64 {
	if c.ttl.c == nil || c.ttl.c.Len() <= c.ttl.expired {
		return 0
	}
	e := c.ttl.c.AtScore(c.ttl.expired)
	return elementMs(&e)
}
