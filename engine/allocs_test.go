package engine

import "testing"

// allocations returns how many allocations run makes, by the least of several
// measurements: what the database's own goroutines allocate meanwhile counts too.
func allocations(run func()) float64 {
	least := testing.AllocsPerRun(10, run)
	for range 9 {
		if least == 0 {
			break
		}
		least = min(least, testing.AllocsPerRun(10, run))
	}
	return least
}
