//go:build amd64 || arm64

package engine

import "unsafe"

// prefetch begins to load the cache line of p and does not wait for it. It is a
// hint: it reads nothing that a race could be about, and never faults.
//
//go:noescape
func prefetch(p unsafe.Pointer)
