//go:build !amd64 && !arm64

package engine

import "unsafe"

// prefetch does nothing where there is no instruction for it here: the loads of a
// walk in step still overlap.
func prefetch(unsafe.Pointer) {}
