//go:build !linux

package resp

import (
	"runtime"
	"syscall"
	"time"
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

// cpuTimes returns the processor time of this process and of its children that
// have ended.
func cpuTimes() (c cpuUse) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		c.sys, c.user = time.Duration(u.Stime.Nano()), time.Duration(u.Utime.Nano())
	}
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) == nil {
		c.sysChildren, c.userChildren = time.Duration(u.Stime.Nano()), time.Duration(u.Utime.Nano())
	}
	return c
}
