package types

import "bytes"

// HashSlots is the number of Redis Cluster hash slots.
const HashSlots = 16384

// HashSlot returns the Redis Cluster hash slot of a key: CRC16 (XMODEM) modulo
// 16384 of the key, or of the part between the first { and the next } if that is
// not empty.
func HashSlot(key []byte) int {
	if tag, ok := hashTag(key); ok {
		key = tag
	}
	return int(crc16(key) % HashSlots)
}

// hashTag returns the part of a key that alone decides its slot, if it has one.
func hashTag(key []byte) ([]byte, bool) {
	open := bytes.IndexByte(key, '{')
	if open < 0 {
		return nil, false
	}
	n := bytes.IndexByte(key[open+1:], '}')
	if n <= 0 {
		return nil, false
	}
	return key[open+1 : open+1+n], true
}

// shardHash is the store's engine.Options.ShardOf: taken modulo a power of two,
// it keeps all keys of a slot in one shard.
func shardHash(key []byte) uint32 { return uint32(HashSlot(key)) }

// crc16 is CRC-16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected.
// Every key is hashed about three times a command, so it takes eight bytes a step:
// the checksum of a sum is the sum of the checksums, each byte's moved on by the
// bytes that follow it, which crc16Tables has at hand.
func crc16(b []byte) uint16 {
	t := &crc16Tables
	var crc uint16
	for ; len(b) >= 8; b = b[8:] {
		crc = t[7][b[0]^byte(crc>>8)] ^ t[6][b[1]^byte(crc)] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
	}
	for _, c := range b {
		crc = crc<<8 ^ t[0][byte(crc>>8)^c]
	}
	return crc
}

// crc16Tables[n][c] is the checksum of byte c and n zero bytes.
var crc16Tables = makeCRC16Tables()

func makeCRC16Tables() (tables [8][256]uint16) {
	for i := range tables[0] {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
		tables[0][i] = crc
	}
	for n := 1; n < len(tables); n++ {
		for i := range tables[n] {
			before := tables[n-1][i]
			tables[n][i] = before<<8 ^ tables[0][before>>8]
		}
	}
	return tables
}
