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
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc = crc<<8 ^ crc16Table[byte(crc>>8)^c]
	}
	return crc
}

var crc16Table = makeCRC16Table()

func makeCRC16Table() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
		table[i] = crc
	}
	return table
}
