package tests

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The model test: random commands over all types, and between them our server is
// merged, stopped and started, and killed, while a redis-server that nothing
// happens to is the model. Replies must be the same all the time, the state after
// every such event, and at the end what DUMP says of every key, as judgeDumps
// has it. The environment steers it:
//
//	BITKV_MODEL_COMMANDS  how many commands, 20000 if not set
//	BITKV_MODEL_SEED      the seed, or "random"; 1 if not set
const (
	modelCommands = 20_000
	modelHistory  = 5_000 // commands over one growing state
	modelRound    = 250   // commands between two events
)

// modelSettings make small data files and merge early, so that merges have
// something to do and events meet them.
var modelSettings = []string{"--data-file-size", "256kb", "--merge-dead-bytes", "64kb", "--merge-ratio", "0.3"}

// modelEvents are what happens to our server between two rounds. More than one may.
var modelEvents = []string{"none", "merge", "merge", "reopen", "kill", "merge kill", "merge reopen"}

// model is a pair, of which our server goes through events.
type model struct {
	pair
	rnd    *rand.Rand
	proto  int
	sorts  bool // SORT is among the commands of the history
	conns  [diffConns][2]*wire
	seen   map[string]int // events
	merges int64          // of our servers that have ended
}

func TestModel(t *testing.T) {
	total := envInt(t, "BITKV_MODEL_COMMANDS", modelCommands)
	seed := seedOf(t, "BITKV_MODEL_SEED")
	t.Logf("BITKV_MODEL_COMMANDS=%d", total)
	m := &model{pair: pair{t: t}, rnd: rand.New(rand.NewPCG(seed, 1<<63)), seen: map[string]int{}}
	m.ref = start(t, oracle, diffSettings...)
	m.ours = m.startOurs(t.TempDir())
	payloads := makePayloads(t, m.ref, m.ours)
	for history := 0; history*modelHistory < total; history++ {
		if d := m.history(seed, uint64(history), min(modelHistory, total-history*modelHistory), payloads); d != nil {
			t.Fatalf("history %d, RESP%d, %v: %s\ngot:  %s\nwant: %s", history, m.proto, m.seen, d.what, d.got, d.want)
		}
	}
	t.Logf("events: %v, merges: %d", m.seen, m.merges+m.mergesNow())
	if m.ours.kind.isOurs() && total >= modelCommands && m.merges+m.mergesNow() == 0 {
		t.Error("nothing was merged")
	}
}

func (m *model) startOurs(dir string) *server {
	args := diffSettings
	if ours.isOurs() {
		args = slices.Concat(diffSettings, modelSettings)
	}
	return startIn(m.t, ours, dir, args...)
}

// history plays n commands of all types from an empty start, with an event now and
// then.
func (m *model) history(seed, number uint64, n int, payloads []string) *difference {
	// Half of the histories have SORT, and allow for what that does to sorted sets: in
	// Redis each that it sorts is a skiplist from then on; in ours SORT_RO makes none,
	// and none is one any more when it was loaded again.
	m.proto, m.sorts = 2+int(number%2), number/2%2 == 1
	m.connect("FLUSHALL")
	defer m.disconnect()
	var steps []diffStep
	for round := uint64(0); len(steps) < n; round++ {
		g := newGen(seed, number<<20|round)
		g.payloads, g.sorts, g.sortsRO = payloads, m.sorts, m.sorts
		// Each round is mostly about one type, as a session of TestDifferential.
		focus := types[(round*5+number)%uint64(len(types))]
		steps = append(steps, diffSteps(g, focus, min(modelRound, n-len(steps)))...)
	}
	for played := 0; played < len(steps); {
		end := min(played+modelRound, len(steps))
		for end < len(steps) && steps[end].glued {
			end++
		}
		if d := m.play(steps[:end], played); d != nil {
			d.what += "\nafter:\n" + steplist(m.t, steps[:min(d.at+1, end)], m.proto, d.what)
			return d
		}
		played = end
		event := modelEvents[m.rnd.IntN(len(modelEvents))]
		m.seen[event]++
		if d := m.happen(event, played); d != nil {
			d.what += " after " + event + ", which came after:\n" + steplist(m.t, steps[:end], m.proto, d.what+" after "+event)
			return d
		}
	}
	m.disconnect()
	if d := m.compareState(len(steps), true, m.sorts); d != nil {
		return d
	}
	return m.judgeDumps(len(steps))
}

// play sends the steps from a number on to both servers, in batches.
func (m *model) play(steps []diffStep, from int) *difference {
	q := queues{sorts: m.sorts}
	for from < len(steps) {
		to := from + 1
		for to < len(steps) && to-from < diffBatch && steps[to].conn == steps[from].conn {
			to++
		}
		if d := m.batch(m.conns[steps[from].conn], steps[from:to], &q); d != nil {
			d.at += from
			return d
		}
		from = to
	}
	return nil
}

// happen lets the words of an event happen to our server. The state must be the
// same before and after, to the millisecond, and that of the model.
func (m *model) happen(event string, at int) *difference {
	// The connections go either way, and what is queued or selected on them.
	m.disconnect()
	before, err := dumpState(m.ours, true)
	if err != nil {
		return &difference{at: at, what: "the state", got: err.Error()}
	}
	for word := range strings.FieldsSeq(event) {
		switch word {
		case "merge":
			w := m.ours.wire(m.t)
			if v, err := w.do("BGREWRITEAOF"); err != nil || v.kind != '+' && !strings.Contains(v.text, "already in progress") {
				return &difference{at: at, what: "BGREWRITEAOF", got: fmt.Sprintf("%q, %v", v.raw, err)}
			}
		case "reopen", "kill":
			m.restart(word)
		}
	}
	after, err := dumpState(m.ours, true)
	if err != nil {
		return &difference{at: at, what: "the state", got: err.Error()}
	}
	for _, key := range sortedKeys(before, after) {
		b, a := before[key], after[key]
		if m.sorts {
			b.text, a.text = withoutSkiplist(b.text), withoutSkiplist(a.text)
		}
		if a != b {
			return &difference{at, fmt.Sprintf("what it was: %.80q", key), fmt.Sprintf("%.300q %s, expires %d", a.text, a.digest, a.expireMs), fmt.Sprintf("%.300q %s, expires %d", b.text, b.digest, b.expireMs)}
		}
	}
	m.connect("PING")
	return m.compareState(at, true, m.sorts)
}

// restart ends our server and starts it on its directory. The oracle in its place
// keeps nothing, and goes on.
func (m *model) restart(how string) {
	if !m.ours.kind.isOurs() {
		return
	}
	m.merges += m.mergesNow()
	if how == "kill" {
		m.ours.kill()
	} else if code := shutdown(m.t, m.ours, "SHUTDOWN"); code != 0 {
		m.t.Fatalf("SHUTDOWN: exit code %d\n%s", code, m.ours.logTail())
	}
	m.ours = m.startOurs(m.ours.dir)
}

// mergesNow is how many merges our server has made since it was started.
func (m *model) mergesNow() int64 {
	w, err := dialWire(m.ours.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	defer w.close()
	v, err := w.do("INFO", "bitkv")
	if err != nil {
		m.t.Fatal(err)
	}
	_, text, _ := strings.Cut(v.text, "\nmerges:")
	text, _, _ = strings.Cut(text, "\r\n")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && m.ours.kind.isOurs() {
		m.t.Fatalf("INFO says no merges: %v\n%s", err, v.text)
	}
	return n
}

// connect opens the connections of a round to both servers and sends a command over
// each.
func (m *model) connect(first string) {
	for i := range m.conns {
		for j, s := range []*server{m.ours, m.ref} {
			w, err := dialWire(s.addr)
			if err != nil {
				m.t.Fatalf("%s: %v\n%s", s.kind.name, err, s.logTail())
			}
			m.conns[i][j] = w
			for _, command := range [][]string{{"HELLO", strconv.Itoa(m.proto)}, {first}} {
				if v, err := w.do(command...); err != nil || v.kind == '-' {
					m.t.Fatalf("%s: %q: %q, %v", s.kind.name, command, v.raw, err)
				}
			}
		}
	}
}

// disconnect closes the connections that connect opened.
func (m *model) disconnect() {
	for i := range m.conns {
		for j, w := range m.conns[i] {
			if w != nil {
				w.close()
			}
			m.conns[i][j] = nil
		}
	}
}
