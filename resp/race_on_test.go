//go:build race

package resp

// underRace: sync.Pool drops what it is given at random under the race detector,
// so that allocations are counted without it alone.
const underRace = true
