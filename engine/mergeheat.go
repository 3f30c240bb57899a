package engine

import (
	"sync"
	"time"
)

// What is overwritten all the time, or pushed and popped, dies in the files that were
// just written. A merge at the moment at which half of such a file is dead copies what
// is dead, too, before it has copied it. So as long as there is little that is dead
// over all, automatic merges leave alone the files that lose their live records fast.

const (
	// hotShare is what share of its live bytes a file that is hot loses from one look
	// to the next, which is mergeLook later.
	hotShare = 0.1
	// hotLeast is which share of a file has to be live: less is merged at once.
	hotLeast = 0.1
	// hotDead is how many times Options.MergeDeadBytes may be dead, in all sealed files,
	// for the sake of those that are hot.
	hotDead = 2
)

// mergeHeat knows which files lose their live records fast.
type mergeHeat struct {
	mu   sync.Mutex // guards following
	seen map[*dataFile]heatSeen
}

// heatSeen is what a file was at the last look.
type heatSeen struct {
	at   time.Time
	live int64
	hot  bool // also if it is the first look
}

// look notes what the files are now.
func (h *mergeHeat) look(all []mergeCandidate, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make(map[*dataFile]heatSeen, len(all))
	for i := range all {
		c := &all[i]
		then, ok := h.seen[c.file]
		switch {
		case !c.sealed:
			continue
		case !ok:
			then = heatSeen{at: now, live: c.live, hot: true}
		case now.Sub(then.at) >= mergeLook:
			then = heatSeen{at: now, live: c.live, hot: float64(c.live) <= (1-hotShare)*float64(then.live)}
		}
		seen[c.file] = then
	}
	h.seen = seen
}

// spare takes the files that are hot out of those that may be merged, unless too much
// is dead for that. deadBytes is as Options.MergeDeadBytes.
func (h *mergeHeat) spare(all []mergeCandidate, deadBytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var dead int64
	for i := range all {
		if all[i].sealed {
			dead += all[i].dead(false)
		}
	}
	if dead >= hotDead*deadBytes {
		return
	}
	for i := range all {
		c := &all[i]
		if c.live > 0 && float64(c.live) >= hotLeast*float64(c.bytes) && h.seen[c.file].hot {
			c.sealed = false
		}
	}
}
