package resp

import "testing"

// allocations returns how many allocations run makes, by the best of five
// measurements: what the goroutines of the storage allocate meanwhile counts too.
func allocations(run func()) float64 {
	least := testing.AllocsPerRun(200, run)
	for range 4 {
		if least == 0 {
			break
		}
		least = min(least, testing.AllocsPerRun(200, run))
	}
	return least
}
