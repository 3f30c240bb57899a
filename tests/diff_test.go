package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The randomised differential run. The environment steers it:
//
//	BITKV_DIFF_COMMANDS  how many commands, 200000 if not set
//	BITKV_DIFF_SEED      the seed, random and printed if not set
const (
	diffCommands = 200_000
	diffSession  = 2_000 // commands on one fresh database
	diffConns    = 3     // connections a session speaks over
	diffBatch    = 64    // commands sent before their replies are read
	diffRestarts = 10    // our server is killed and compared again once in so many sessions
	diffReports  = 12    // failing sequences that are shrunk and printed
	shrinkFor    = 20 * time.Second
)

// diffStep is one command on one connection.
type diffStep struct {
	conn int
	args []string
}

func (s diffStep) String() string { return fmt.Sprintf("@%d %q", s.conn, s.args) }

// difference is where two servers disagree.
type difference struct {
	at        int // the step; len(steps) when it is the state at the end
	what      string
	got, want string
}

// pair is our server and the oracle.
type pair struct {
	t    *testing.T
	ours *server
	ref  *server
}

func TestDifferential(t *testing.T) {
	total := envInt(t, "BITKV_DIFF_COMMANDS", diffCommands)
	seed := uint64(envInt(t, "BITKV_DIFF_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("BITKV_DIFF_SEED=%d BITKV_DIFF_COMMANDS=%d", seed, total)
	p := &pair{t: t}
	p.ref = start(t, oracle, "--proto-max-bulk-len", "1mb")
	p.ours = start(t, ours, "--proto-max-bulk-len", "1mb")
	seen := map[string]bool{}
	for session := 0; session*diffSession < total; session++ {
		steps := diffSteps(seed, uint64(session), min(diffSession, total-session*diffSession))
		proto := 2 + session%2
		d := p.runSession(steps, proto)
		if d == nil && session%diffRestarts == diffRestarts-1 {
			d = p.restartAndCompare(len(steps))
		}
		if d == nil {
			continue
		}
		p.revive()
		if d.at < len(steps) {
			if seen[d.what] { // one report for a command is enough to work on
				continue
			}
			seen[d.what] = true
			steps, d = p.shrink(steps, proto, d)
		}
		t.Errorf("session %d, RESP%d: %s\ngot:  %s\nwant: %s\nafter:\n%s", session, proto, d.what, d.got, d.want, steplist(steps))
		if len(seen) == diffReports {
			t.Fatal("too many differences")
		}
	}
}

func envInt(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// diffSteps makes the commands of one session. Connections change every few
// commands, so that transactions, WATCH and databases meet.
func diffSteps(seed, session uint64, n int) []diffStep {
	g := gen{rand.New(rand.NewPCG(seed, session))}
	steps := make([]diffStep, n)
	conn := 0
	for i := range steps {
		if g.chance(20) {
			conn = g.IntN(diffConns)
		}
		steps[i] = diffStep{conn, g.command()}
	}
	return steps
}

func steplist(steps []diffStep) string {
	if n := len(steps) - 40; n > 0 {
		steps = steps[n:]
	}
	var out strings.Builder
	for _, s := range steps {
		line := s.String()
		if len(line) > 300 {
			line = line[:300] + "..."
		}
		fmt.Fprintf(&out, "    %s\n", line)
	}
	return out.String()
}

// revive starts our server again if it has ended.
func (p *pair) revive() {
	select {
	case <-p.ours.done:
		p.t.Errorf("our server ended: %v\n%s", p.ours.err, p.ours.logTail())
		p.ours = startIn(p.t, ours, p.ours.dir, "--proto-max-bulk-len", "1mb")
	default:
	}
}

// queues keeps what each connection has queued in MULTI, to know what the
// elements of EXEC's reply belong to.
type queues [diffConns]struct {
	open bool
	args [][]string
}

// runSession plays the steps on both servers from an empty start and returns the
// first difference, or nil.
func (p *pair) runSession(steps []diffStep, proto int) *difference {
	var conns [diffConns][2]*wire
	for i := range conns {
		for j, s := range []*server{p.ours, p.ref} {
			w, err := dialWire(s.addr)
			if err != nil {
				return &difference{what: "connecting", got: err.Error()}
			}
			defer w.close()
			if _, err := w.do("HELLO", strconv.Itoa(proto)); err != nil {
				return &difference{what: "HELLO", got: err.Error()}
			}
			if _, err := w.do("FLUSHALL"); err != nil {
				return &difference{what: "FLUSHALL", got: err.Error()}
			}
			conns[i][j] = w
		}
	}
	var q queues
	for from := 0; from < len(steps); {
		to := from + 1
		for to < len(steps) && to-from < diffBatch && steps[to].conn == steps[from].conn {
			to++
		}
		if d := p.batch(conns[steps[from].conn], steps[from:to], &q); d != nil {
			d.at += from
			return d
		}
		from = to
	}
	return p.compareState(len(steps), true)
}

// batch sends commands to both servers at once and compares reply by reply.
func (p *pair) batch(w [2]*wire, steps []diffStep, q *queues) *difference {
	var buf []byte
	for _, s := range steps {
		buf = appendCommand(buf, s.args...)
	}
	for _, one := range w {
		if err := one.write(buf); err != nil && !isReset(err) {
			return &difference{what: "writing", got: err.Error()}
		}
	}
	for i, s := range steps {
		got, err := w[0].read()
		want, refErr := w[1].read()
		if refErr != nil {
			p.t.Fatalf("the oracle failed at %v: %v", s, refErr)
		}
		name := strings.ToUpper(s.args[0])
		if err != nil {
			return &difference{i, name, fmt.Sprintf("%q and %v", got.raw, err), fmt.Sprintf("%.600q", want.raw)}
		}
		if !q.agree(s, got, want) {
			return &difference{i, name, fmt.Sprintf("%.600q", got.raw), fmt.Sprintf("%.600q", want.raw)}
		}
	}
	return nil
}

// agree compares two replies to a step and follows MULTI.
func (q *queues) agree(s diffStep, got, want value) bool {
	c := &q[s.conn]
	name := strings.ToUpper(s.args[0])
	switch {
	case name == "EXEC" && c.open && want.kind == '*' && !want.null:
		queued := c.args
		c.open, c.args = false, nil
		if got.kind != '*' || len(got.elems) != len(want.elems) || len(queued) != len(want.elems) {
			return false
		}
		for i, args := range queued {
			if !sameReply(args, got.elems[i], want.elems[i]) {
				return false
			}
		}
		return true
	case name == "EXEC":
		c.open, c.args = false, nil // whatever its arguments: a wrong EXEC discards, too
	case (name == "DISCARD" || name == "RESET") && want.kind == '+':
		c.open, c.args = false, nil
	case name == "MULTI" && want.kind == '+':
		c.open = true
	case want.raw == "+QUEUED\r\n":
		c.args = append(c.args, s.args)
	}
	return sameReply(s.args, got, want)
}

// sameReply compares two replies, but for what may differ between two servers:
// the order of KEYS, what RANDOMKEY picks, SCAN's cursor, and clocks.
func sameReply(args []string, got, want value) bool {
	if got.raw == want.raw {
		return true
	}
	if got.kind != want.kind || got.null != want.null || want.kind == '-' {
		return false
	}
	switch strings.ToUpper(args[0]) {
	case "TTL", "EXPIRETIME":
		return near(got, want, 5)
	case "PTTL", "PEXPIRETIME":
		return near(got, want, 5000)
	case "KEYS":
		return sameSet(got, want)
	case "RANDOMKEY":
		return true
	case "SCAN":
		// Only a whole scan in one step is comparable here.
		return got.elems[0].text != "0" || want.elems[0].text != "0" || sameSet(got.elems[1], want.elems[1])
	case "HELLO":
		return len(got.elems) == len(want.elems)
	case "OBJECT":
		// How many share a value is the server's own business.
		return strings.EqualFold(args[1], "IDLETIME") || strings.EqualFold(args[1], "REFCOUNT")
	}
	return false
}

// near compares two positive times.
func near(got, want value, tolerance int64) bool {
	g, err1 := strconv.ParseInt(got.text, 10, 64)
	w, err2 := strconv.ParseInt(want.text, 10, 64)
	return err1 == nil && err2 == nil && g > 0 && w > 0 && g-w <= tolerance && w-g <= tolerance
}

func sameSet(got, want value) bool {
	g, w := got.texts(), want.texts()
	slices.Sort(g)
	slices.Sort(w)
	return slices.Equal(g, w)
}

// compareState compares every database key by key.
func (p *pair) compareState(at int, encodings bool) *difference {
	got, err := dumpState(p.ours, encodings)
	if err != nil {
		return &difference{at, "the state at the end", err.Error(), ""}
	}
	want, err := dumpState(p.ref, encodings)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, key := range sortedKeys(got, want) {
		g, w := got[key], want[key]
		if g.text != w.text || g.expireMs-w.expireMs > 5000 || w.expireMs-g.expireMs > 5000 {
			return &difference{at, fmt.Sprintf("the state at the end: %.80q", key), fmt.Sprintf("%.300q, expires %d", g.text, g.expireMs), fmt.Sprintf("%.300q, expires %d", w.text, w.expireMs)}
		}
	}
	return nil
}

// restartAndCompare kills our server, starts it on its directory and compares.
func (p *pair) restartAndCompare(at int) *difference {
	p.ours.kill()
	p.ours = startIn(p.t, ours, p.ours.dir, "--proto-max-bulk-len", "1mb")
	if !p.ours.kind.isOurs() {
		return nil // the oracle keeps nothing here
	}
	d := p.compareState(at, false) // a value that was read back has the encoding of a new one
	if d != nil {
		d.what += " after kill -9"
	}
	return d
}

// keyState is what is known of a key.
type keyState struct {
	text     string
	expireMs int64
}

// dumpState reads every key of every database: SCAN, then GET and the rest.
func dumpState(s *server, encodings bool) (map[string]keyState, error) {
	w, err := dialWire(s.addr)
	if err != nil {
		return nil, err
	}
	defer w.close()
	state := map[string]keyState{}
	for db := range 16 {
		if _, err := w.do("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		size, err := w.do("DBSIZE")
		if err != nil {
			return nil, err
		}
		keys, err := scanAll(w)
		if err != nil {
			return nil, err
		}
		state[fmt.Sprintf("db%d DBSIZE and SCAN", db)] = keyState{text: fmt.Sprintf("%s %d", size.text, len(keys))}
		for _, key := range keys {
			if state[fmt.Sprintf("db%d %s", db, key)], err = dumpKey(w, key, encodings); err != nil {
				return nil, err
			}
		}
	}
	return state, nil
}

func dumpKey(w *wire, key string, encodings bool) (keyState, error) {
	var k keyState
	asks := [][]string{{"TYPE", key}, {"GET", key}, {"STRLEN", key}, {"PEXPIRETIME", key}, {"OBJECT", "ENCODING", key}}
	if !encodings {
		asks = asks[:4]
	}
	for _, ask := range asks {
		v, err := w.do(ask...)
		if err != nil {
			return k, err
		}
		if ask[0] != "PEXPIRETIME" {
			k.text += v.raw
		} else if k.expireMs, err = strconv.ParseInt(v.text, 10, 64); err != nil {
			return k, err
		}
	}
	return k, nil
}

// scanAll returns the keys of a whole SCAN, sorted, each once.
func scanAll(w *wire) ([]string, error) {
	var keys []string
	for cursor := "0"; ; {
		v, err := w.do("SCAN", cursor, "COUNT", "7")
		if err != nil {
			return nil, err
		}
		if len(v.elems) != 2 {
			return nil, fmt.Errorf("SCAN %s: %q", cursor, v.raw)
		}
		keys = append(keys, v.elems[1].texts()...)
		if cursor = v.elems[0].text; cursor == "0" {
			break
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func sortedKeys(maps ...map[string]keyState) []string {
	var all []string
	for _, m := range maps {
		for k := range m {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shrink removes steps as long as the last one still differs (delta debugging).
func (p *pair) shrink(steps []diffStep, proto int, d *difference) ([]diffStep, *difference) {
	steps = steps[:d.at+1]
	deadline := time.Now().Add(shrinkFor)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at < len(steps)-1 && time.Now().Before(deadline); {
			end := min(at+size, len(steps)-1)
			shorter := slices.Concat(steps[:at], steps[end:])
			got := p.runSession(shorter, proto)
			p.revive()
			if got != nil && got.what == d.what && got.at < len(shorter) {
				steps, d = shorter[:got.at+1], got
			} else {
				at = end
			}
		}
	}
	return steps, d
}
