//go:build !linux

package engine

// Other systems than Linux do not say what is in memory: all is taken to be, and
// whoever reads what is not waits for the disk, as Tx.NoWait says.

func residentBytes(b []byte) int { return len(b) }

func majorFaults() int64 { return 0 }

func adviseRandom([]byte) {}

func adviseNeeded([]byte) {}
