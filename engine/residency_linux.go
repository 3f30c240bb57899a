package engine

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageBytes is the size of a page.
var pageBytes = os.Getpagesize()

// residentBytes returns how many of the bytes of b, a part of a map of a file, are
// in memory. Where the system does not say, all are.
func residentBytes(b []byte) int {
	var pages [64]byte
	start := uintptr(unsafe.Pointer(&b[0]))
	end := start + uintptr(len(b))
	in := 0
	for at := start &^ uintptr(pageBytes-1); at < end; {
		n := min((end-at+uintptr(pageBytes)-1)/uintptr(pageBytes), uintptr(len(pages)))
		// It does not wait, so the scheduler need not know.
		_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, at, n*uintptr(pageBytes), uintptr(unsafe.Pointer(&pages[0])))
		for i := range n {
			if errno != 0 || pages[i]&1 != 0 {
				in += int(min(at+uintptr(pageBytes), end) - max(at, start))
			}
			at += uintptr(pageBytes)
		}
	}
	return in
}

// majorFaults is how many faults of the process have waited for a disk so far.
func majorFaults() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return int64(usage.Majflt) //nolint:unconvert // the field's type differs between systems.
}

// adviseRandom says that a map is read here and there: no page is read but the one
// that is needed. The advice may be ignored.
func adviseRandom(b []byte) { _ = unix.Madvise(b, unix.MADV_RANDOM) }

// adviseNeeded asks for b, a part of a map that begins with a page, to be read
// into memory, and does not wait for that. The advice may be ignored.
func adviseNeeded(b []byte) { _ = unix.Madvise(b, unix.MADV_WILLNEED) }

// InMemory implements ResidentFile. It reads, and has the system refuse to wait.
func (f osFile) InMemory(offset int64, n int) bool {
	b := make([]byte, n)
	got, err := unix.Preadv2(int(f.Fd()), [][]byte{b}, offset, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	return err != nil || got == n // the file system cannot say
}

// ReadAhead implements AheadFile.
func (f osFile) ReadAhead(offset int64, n int) {
	_ = unix.Fadvise(int(f.Fd()), offset, int64(n), unix.FADV_WILLNEED)
}
