package resp

import (
	"sync"
	"sync/atomic"
)

// monitorFeed is the set of clients that MONITOR.
type monitorFeed struct {
	n  atomic.Int32 // the number of monitors, so that nobody locks for none
	mu sync.Mutex   // guards following
	to map[*client]struct{}
}
