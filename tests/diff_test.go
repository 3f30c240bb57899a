package tests

import (
	"fmt"
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
//	BITKV_DIFF_SEED      the seed, or "random"; 1 if not set
//	BITKV_DIFF_STEPS     a file that a failing run has written: its steps, and nothing else
const (
	diffCommands = 200_000
	diffSession  = 2_000 // commands on one fresh database
	diffConns    = 3     // connections a session speaks over
	diffBatch    = 64    // commands sent before their replies are read
	diffRestarts = 10    // our server is killed and compared again once in so many sessions
	diffReports  = 12    // failing sequences that are shrunk and printed
	shrinkFor    = 20 * time.Second
)

var diffSettings = []string{"--proto-max-bulk-len", "1mb", "--enable-debug-command", "yes"}

// diffStep is one command on one connection.
type diffStep struct {
	conn  int
	args  []string
	glued bool // stays after the step before it: see group
	loose bool // servers answer as they choose, with equally much
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
	seed := seedOf(t, "BITKV_DIFF_SEED")
	t.Logf("BITKV_DIFF_COMMANDS=%d", total)
	p := &pair{t: t}
	p.ref = start(t, oracle, diffSettings...)
	p.ours = start(t, ours, diffSettings...)
	if path := os.Getenv("BITKV_DIFF_STEPS"); path != "" {
		p.replay(path)
		return
	}
	payloads := makePayloads(t, p.ref, p.ours)
	seen := map[string]bool{}
	for session := 0; session*diffSession < total; session++ {
		g := newGen(seed, uint64(session))
		g.payloads, g.sorts, g.sortsRO = payloads, session%3 == 0, session%6 == 0
		steps := diffSteps(g, types[session%len(types)], min(diffSession, total-session*diffSession))
		proto := 2 + session/len(types)%2
		d := p.runSession(steps, proto)
		if d == nil && session%diffRestarts == diffRestarts-1 {
			d = p.restartAndCompare(len(steps))
		}
		if d == nil {
			continue
		}
		p.revive()
		if seen[d.what] { // one report for a command is enough to work on
			continue
		}
		seen[d.what] = true
		if !strings.HasSuffix(d.what, afterKill) {
			steps, d = p.shrink(steps, proto, d)
		}
		what := fmt.Sprintf("session %d, RESP%d: %s\ngot:  %s\nwant: %s", session, proto, d.what, d.got, d.want)
		t.Errorf("%s\nafter:\n%s", what, steplist(t, steps, proto, what))
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

// seedOf is the seed that a variable of the environment gives: a number, or
// "random". Without it the seed is fixed, so that a run fails for what has changed.
// It is printed.
func seedOf(t *testing.T, name string) uint64 {
	t.Helper()
	seed := int(time.Now().UnixNano() & 0x7fffffff)
	if os.Getenv(name) != "random" {
		seed = envInt(t, name, 1)
	}
	t.Logf("%s=%d", name, seed)
	return uint64(seed)
}

// diffSteps makes at least n commands, which are mostly about one type. Connections
// change every few commands, so that transactions, WATCH and databases meet.
func diffSteps(g gen, focus string, n int) []diffStep {
	var steps []diffStep
	conn := 0
	for len(steps) < n {
		if g.chance(20) {
			conn = g.IntN(diffConns)
		}
		next := g.group(focus)
		for i, args := range next.commands {
			steps = append(steps, diffStep{conn: conn, args: args, glued: i > 0, loose: next.loose && i == 2})
		}
	}
	return steps
}

// revive starts our server again if it has ended.
func (p *pair) revive() {
	select {
	case <-p.ours.done:
		p.t.Errorf("our server ended: %v\n%s", p.ours.err, p.ours.logTail())
		p.ours = startIn(p.t, ours, p.ours.dir, diffSettings...)
	default:
	}
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
	q := queues{sorts: sorts(steps)}
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
	return p.compareState(len(steps), true, sorts(steps))
}

// sorts reports whether SORT_RO is among the steps: Redis makes a skiplist of every
// sorted set that it sorts, here SORT alone does.
func sorts(steps []diffStep) bool {
	return slices.ContainsFunc(steps, func(s diffStep) bool { return strings.EqualFold(s.args[0], "SORT_RO") })
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

// afterKill ends what is said of a difference that a restart made.
const afterKill = " after kill -9"

// restartAndCompare kills our server, starts it on its directory and compares.
func (p *pair) restartAndCompare(at int) *difference {
	p.ours.kill()
	p.ours = startIn(p.t, ours, p.ours.dir, diffSettings...)
	if !p.ours.kind.isOurs() {
		return nil // the oracle keeps nothing here
	}
	d := p.compareState(at, false, false) // a value that was read back has the encoding of a new one
	if d != nil {
		d.what += afterKill
	}
	return d
}

// shrink removes steps as long as the last one, or the state at the end, still
// differs (delta debugging).
func (p *pair) shrink(steps []diffStep, proto int, d *difference) ([]diffStep, *difference) {
	state := d.at == len(steps)
	keep := 0 // steps at the end that must stay
	if !state {
		steps, keep = steps[:d.at+1], 1
	}
	deadline := time.Now().Add(shrinkFor)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at < len(steps)-keep && time.Now().Before(deadline); {
			from, end := wholeGroups(steps, at, min(at+size, len(steps)-keep))
			if from == end {
				at++
				continue
			}
			shorter := slices.Concat(steps[:from], steps[end:])
			got := p.runSession(shorter, proto)
			p.revive()
			switch {
			case got == nil || got.what != d.what || state != (got.at == len(shorter)):
				at = end
			case state:
				steps, d = shorter, got
			default:
				steps, d = shorter[:got.at+1], got
			}
		}
	}
	return steps, d
}

// wholeGroups moves the bounds of what is to be cut out so that no group is torn.
func wholeGroups(steps []diffStep, from, end int) (int, int) {
	for steps[from].glued {
		from++
		if from == len(steps) {
			return from, from
		}
	}
	for end < len(steps) && end > from && steps[end].glued {
		end--
	}
	return from, max(from, end)
}
