//go:build !linux

package resp

import (
	"runtime"
)

// residentBytes is what the Go runtime has from the system: the nearest there is
// without a system interface of its own.
func residentBytes() (total, file int64) {
	m := readMemory()
	return m.total - m.released, 0
}

// systemMemory is not known here.
func systemMemory() int64 { return 0 }

func systemName() string { return runtime.GOOS + " " + runtime.GOARCH }
