package engine

import (
	"fmt"
	"testing"
	"time"
)

// A file that loses live records fast is spared while little is dead; one that lost
// nearly all, one that rests, and any when much is dead, is not.
func TestMergeHeat(t *testing.T) {
	const deadBytes = 1000
	began := time.Unix(1000, 0)
	for _, c := range []struct {
		name   string
		live   []int64 // of 1000 bytes, at looks that are mergeLook apart
		dead   int64   // in another file, which is empty but for that
		spared bool
	}{
		{"just sealed", []int64{500}, 0, true},
		{"just sealed, but nearly dead", []int64{99}, 0, false},
		{"just sealed, but much is dead elsewhere", []int64{500}, 2 * deadBytes, false},
		{"dying", []int64{500, 450}, 0, true},
		{"dying slowly", []int64{500, 451}, 0, false},
		{"dying until it is nearly dead", []int64{500, 200, 99}, 0, false},
		{"at rest", []int64{500, 100, 100}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h mergeHeat
			file, other := &dataFile{}, &dataFile{}
			var all []mergeCandidate
			for i, live := range c.live {
				all = []mergeCandidate{
					{file: file, sealed: true, bytes: 1000, live: live},
					{file: other, sealed: true, bytes: c.dead},
					{file: &dataFile{}, bytes: 1 << 40},
				}
				at := began.Add(time.Duration(i) * mergeLook)
				h.look(all, at)
				// What is looked at sooner changes nothing.
				h.look([]mergeCandidate{{file: file, sealed: true, bytes: 1000}, all[1]}, at.Add(mergeLook/2))
			}
			h.spare(all, deadBytes)
			if spared := !all[0].sealed; spared != c.spared || !all[1].sealed {
				t.Errorf("got %s, want spared: %v", fmt.Sprint(all), c.spared)
			}
			if len(h.seen) != 2 {
				t.Errorf("%d files are remembered, want 2", len(h.seen))
			}
			h.look(nil, began)
			if len(h.seen) != 0 {
				t.Errorf("%d files are remembered that are gone", len(h.seen))
			}
		})
	}
}
