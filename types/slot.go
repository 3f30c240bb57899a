package types

// HashSlots is the number of Redis Cluster hash slots.
const HashSlots = 16384

// HashSlot returns the Redis Cluster hash slot of a key: CRC16 (XMODEM) modulo
// 16384 of the key, or of the part between the first { and the next } if that is
// not empty.
func HashSlot(key []byte) int { panic("Y") }
