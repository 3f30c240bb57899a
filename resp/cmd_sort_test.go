package resp

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSortLocks: whatever the options of SORT are, and the keys they name, the
// command finds locked what it touches. (It panics otherwise.)
func TestSortLocks(t *testing.T) {
	c := newLocalClient(t, t.TempDir())
	for _, line := range []string{"rpush list 1 2 3", "hset h1 f 1", "mset w1 3 w2 1", "rpush by 5", "sadd store 1"} {
		c.do(words(line))
	}
	pieces := strings.Fields("by get store limit asc desc alpha # w* h*->f * list b store by get limit 0 1")
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	for range 20_000 {
		line := []string{"sort", "list"}
		for range random.IntN(9) {
			line = append(line, pieces[random.IntN(len(pieces))])
		}
		text := strings.Join(line, " ")
		if got := string(c.do(words(text))); strings.HasPrefix(got, "-"+errInternal) {
			t.Fatalf("seed %d: %s: %q", seed, text, got)
		}
		c.do(words("del list"))
		c.do(words("rpush list 1 2 3"))
	}
}

// TestSortInExec: a SORT that locks everything works inside EXEC.
func TestSortInExec(t *testing.T) {
	runExchanges(t, []exchange{
		{"rpush l 1 2 3", ":3|"},
		{"mset w_1 3 w_2 2 w_3 1", "+OK|"},
		{"multi", "+OK|"},
		{"sort l by w_* get w_* store d", "+QUEUED|"},
		{"sort_ro d", "+QUEUED|"},
		{"exec", "*2|:3|*3|$1|1|$1|2|$1|3|"},
	})
}
