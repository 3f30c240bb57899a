package resp

import (
	"runtime/metrics"
	"syscall"
	"time"
)

// cpuUse is the processor time used so far.
type cpuUse struct {
	sys, user                 time.Duration
	sysChildren, userChildren time.Duration
}

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

// memoryUse is what the Go runtime says about memory, in bytes.
type memoryUse struct {
	objects  int64 // on the heap, garbage that is not swept yet included
	unused   int64 // in heap spans in use, but in no object
	free     int64 // heap that could be given back to the system
	released int64 // given back
	stacks   int64
	other    int64 // the runtime's own
	total    int64 // all of the above
	gcCycles int64
}

// resident is the memory that the runtime has and has not given back.
func (m *memoryUse) resident() int64 { return m.total - m.released }

// The metrics that readMemory reads, in the order in which it uses them.
var memoryMetrics = [...]string{
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/free:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/total:bytes",
	"/gc/cycles/total:gc-cycles",
}

// readMemory asks the runtime. It costs a few microseconds and stops nothing.
func readMemory() memoryUse {
	var samples [len(memoryMetrics)]metrics.Sample
	for i, name := range memoryMetrics {
		samples[i].Name = name
	}
	metrics.Read(samples[:])
	value := func(i int) int64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return int64(samples[i].Value.Uint64())
	}
	m := memoryUse{
		objects: value(0), unused: value(1), free: value(2), released: value(3),
		stacks: value(4), total: value(5), gcCycles: value(6),
	}
	m.other = m.total - m.objects - m.unused - m.free - m.released - m.stacks
	return m
}
