package tests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// queues keeps what each connection has queued in MULTI, to know what the
// elements of EXEC's reply belong to, and what came last.
type queues struct {
	sorts bool // see sorts
	conns [diffConns]struct {
		open  bool
		steps []diffStep
		last  answered
	}
}

// answered is a step and our server's reply to it.
type answered struct {
	step  diffStep
	reply value
}

// agree compares two replies to a step and follows MULTI.
func (q *queues) agree(s diffStep, got, want value) bool {
	c := &q.conns[s.conn]
	name := strings.ToUpper(s.args[0])
	switch {
	case name == "EXEC" && c.open && want.kind == '*' && !want.null:
		queued := c.steps
		c.open, c.steps = false, nil
		if got.kind != '*' || len(got.elems) != len(want.elems) || len(queued) != len(want.elems) {
			return false
		}
		var last answered
		for i, step := range queued {
			if !q.sameAfter(last, step, got.elems[i], want.elems[i]) {
				return false
			}
			last = answered{step, got.elems[i]}
		}
		return true
	case name == "EXEC":
		c.open, c.steps = false, nil // whatever its arguments: a wrong EXEC discards, too
	case (name == "DISCARD" || name == "RESET") && want.kind == '+':
		c.open, c.steps = false, nil
	case name == "MULTI" && want.kind == '+':
		c.open = true
	case want.raw == "+QUEUED\r\n":
		c.steps = append(c.steps, s)
	}
	last := c.last
	c.last = answered{s, got}
	return q.sameAfter(last, s, got, want)
}

// sameAfter is sameReply for what is picked at random, too: there are as many, and
// all of them are in what a step before has said there was.
func (q *queues) sameAfter(last answered, s diffStep, got, want value) bool {
	if s.loose {
		return got.kind == want.kind && got.null == want.null && len(got.elems) == len(want.elems)
	}
	if q.sorts && got.text == "listpack" && want.text == "skiplist" {
		return true
	}
	if q.sorts && strings.EqualFold(s.args[0], "ZSCAN") && len(got.elems) == 2 && len(want.elems) == 2 {
		// A skiplist's scores are written in another form than a listpack's.
		return got.elems[0].raw != want.elems[0].raw || len(got.elems[1].elems) == len(want.elems[1].elems)
	}
	return sameReply(s.args, got, want) && (!s.glued || amongThem(last, s, got))
}

// amongThem reports whether our server picked what was there, and nothing twice
// unless it was asked to.
func amongThem(last answered, s diffStep, got value) bool {
	switch strings.ToUpper(s.args[0]) {
	case "SRANDMEMBER", "SPOP", "HRANDFIELD", "ZRANDMEMBER":
	default:
		return true
	}
	if got.kind == '-' || got.kind == '+' || got.null {
		return true // the other server says the same
	}
	pairs := len(s.args) == 4
	there := entries(last.reply, pairs)
	picked := []string{got.text}
	if got.kind != '$' {
		picked = entries(got, pairs)
	}
	seen := map[string]bool{}
	for _, one := range picked {
		if !slices.Contains(there, one) {
			return false
		}
		if seen[one] && (len(s.args) < 3 || !strings.HasPrefix(s.args[2], "-")) {
			return false
		}
		seen[one] = true
	}
	return true
}

// entries returns the elements of an aggregate as text; of pairs both halves in
// one, whether they are an array each or follow each other.
func entries(v value, pairs bool) []string {
	var out []string
	for i := 0; i < len(v.elems); i++ {
		switch e := v.elems[i]; {
		case !pairs:
			out = append(out, e.text)
		case len(e.elems) == 2:
			out = append(out, fmt.Sprintf("%q %q", e.elems[0].text, e.elems[1].text))
		case i+1 < len(v.elems):
			i++
			out = append(out, fmt.Sprintf("%q %q", e.text, v.elems[i].text))
		}
	}
	return out
}

// clockSkew is how many seconds one server may get a command later than the other one.
// The times that gen makes are farther apart.
const clockSkew = 60

// sameReply compares two replies, but for what may differ between two servers:
// the order of what has none, what is picked at random, cursors, and clocks.
func sameReply(args []string, got, want value) bool {
	if got.raw == want.raw {
		return true
	}
	if got.kind != want.kind || got.null != want.null || want.kind == '-' {
		return false
	}
	name := strings.ToUpper(args[0])
	switch name {
	case "TTL", "EXPIRETIME":
		return near(got, want, clockSkew)
	case "PTTL", "PEXPIRETIME":
		return near(got, want, clockSkew*1000)
	case "KEYS", "HKEYS", "HVALS", "SMEMBERS", "SINTER", "SUNION", "SDIFF":
		return sameSet(got, want, false)
	case "SORT", "SORT_RO":
		return sameSort(args, got, want)
	case "HGETALL":
		return sameSet(got, want, true)
	case "RANDOMKEY":
		return true
	case "SCAN", "SSCAN":
		return sameScan(got, want, false)
	case "HSCAN", "ZSCAN":
		return sameScan(got, want, true)
	case "SRANDMEMBER", "SPOP", "HRANDFIELD", "ZRANDMEMBER":
		return len(got.elems) == len(want.elems)
	case "DUMP":
		return got.kind == '$'
	case "HELLO":
		return len(got.elems) == len(want.elems)
	case "OBJECT":
		// How many share a value is the server's own business.
		return strings.EqualFold(args[1], "IDLETIME") || strings.EqualFold(args[1], "REFCOUNT")
	}
	return false
}

// sameSort compares what SORT returns, but for what is equal to it: Redis sorts
// with ALPHA up to the first zero byte only and does not say in which order
// elements of equal weight, or members of a set that are not sorted, come.
func sameSort(args []string, got, want value) bool {
	if len(got.elems) != len(want.elems) {
		return false
	}
	alpha, unsorted, limit := false, false, false
	for i, arg := range args {
		switch strings.ToUpper(arg) {
		case "ALPHA":
			alpha = true
		case "LIMIT":
			limit = true
		case "BY":
			unsorted = unsorted || !strings.Contains(args[i+1], "*")
		}
	}
	if !unsorted && !alpha {
		return false
	}
	return limit || sameSet(got, want, false)
}

// near compares two positive times.
func near(got, want value, tolerance int64) bool {
	g, err1 := strconv.ParseInt(got.text, 10, 64)
	w, err2 := strconv.ParseInt(want.text, 10, 64)
	return err1 == nil && err2 == nil && g > 0 && w > 0 && g-w <= tolerance && w-g <= tolerance
}

// sameScan compares steps of a scan: only a whole one in one step is comparable.
func sameScan(got, want value, pairs bool) bool {
	return got.elems[0].text != "0" || want.elems[0].text != "0" || sameSet(got.elems[1], want.elems[1], pairs)
}

func sameSet(got, want value, pairs bool) bool {
	g, w := entries(got, pairs), entries(want, pairs)
	slices.Sort(g)
	slices.Sort(w)
	return slices.Equal(g, w)
}
