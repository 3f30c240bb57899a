package tests

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitkv/internal/testenv"
)

// T1: kill -9 at random moments. Writers send random commands and record what
// they sent and what was acknowledged; after each restart every writer's data
// must be what some prefix of its commands makes, one that holds at least the
// acknowledged ones. A command, and an EXEC, counts as one: half of one is no
// prefix. Merge runs meanwhile, over small data files.
//
//	BITKV_CRASH_CYCLES  how many kills over all policies, 300 if not set
//	BITKV_CRASH_SEED    the seed, or "random"; 1 if not set
const (
	crashCycles  = 300
	crashWriters = 4
	crashKeys    = 40 // of each kind, for each writer
	crashDBs     = 2  // databases each writer has to itself
)

func TestKill9(t *testing.T) {
	cycles := envInt(t, "BITKV_CRASH_CYCLES", crashCycles)
	seed := seedOf(t, "BITKV_CRASH_SEED")
	t.Logf("BITKV_CRASH_CYCLES=%d", cycles)
	policies := []string{"always", "everysec", "no"}
	for i, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			c := newCrasher(t, policy, seed+uint64(i))
			for n := range (cycles + i) / len(policies) {
				c.cycle(n)
				if t.Failed() {
					return
				}
			}
			c.finish()
		})
	}
}

// crasher is the run of one policy: one directory, killed again and again.
type crasher struct {
	t       *testing.T
	dir     string
	args    []string
	rnd     *rand.Rand
	writers []*crashWriter
	srv     *server
	merges  int           // merges begun
	merging chan struct{} // closed when the first one was
}

func newCrasher(t *testing.T, policy string, seed uint64) *crasher {
	t.Helper()
	c := &crasher{t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 0)), merging: make(chan struct{})}
	if ours.isOurs() {
		c.args = []string{
			"--appendfsync", policy, "--data-file-size", "128kb",
			"--merge-ratio", "0.3", "--merge-dead-bytes", "64kb",
		}
	} else {
		c.args = []string{"--appendonly", "yes", "--appendfsync", policy}
	}
	for i := range crashWriters {
		c.writers = append(c.writers, &crashWriter{
			gen:  newGen(seed, uint64(i+1)),
			db:   i * crashDBs,
			base: map[string]crashValue{},
		})
	}
	return c
}

// cycle starts the server, checks what it has, lets the writers go and kills it.
func (c *crasher) cycle(n int) {
	if c.rnd.IntN(4) == 0 { // kill it while it starts, as well
		s := launch(c.t, ours, c.dir, testenv.FreePort(c.t), c.args...)
		time.Sleep(time.Duration(c.rnd.IntN(20_000)) * time.Microsecond) // the moment of the kill
		s.kill()
	}
	c.letWrite(n, func() {
		if n == 0 {
			c.awaitMerge() // a busy machine may not get so far in any cycle
		}
		time.Sleep(time.Duration(c.rnd.IntN(300_000)) * time.Microsecond) // the moment of the kill
		c.srv.kill()
	})
}

// letWrite starts the server, checks what it has, and lets the writers and merges go
// while end runs, which kills it. It reports whether it came so far.
func (c *crasher) letWrite(n int, end func()) bool {
	c.srv = startIn(c.t, ours, c.dir, c.args...)
	c.check(n)
	if c.t.Failed() {
		return false
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for _, w := range c.writers {
		wg.Go(func() { w.run(c.srv.addr, stop) })
	}
	wg.Go(func() { c.mergeNow(c.srv.addr, stop) })
	end()
	close(stop)
	wg.Wait()
	for _, w := range c.writers {
		if w.err != nil {
			c.t.Errorf("cycle %d: the writer of database %d: %v", n, w.db, w.err)
		}
	}
	return true
}

// awaitMerge waits until a merge has begun beside the writers.
func (c *crasher) awaitMerge() {
	select {
	case <-c.merging:
	case <-time.After(replyTimeout):
		c.t.Error("no merge ran beside the writers")
	}
}

// mergeNow asks for a merge again and again.
func (c *crasher) mergeNow(addr string, stop chan struct{}) {
	w, err := dialWire(addr)
	if err != nil {
		return // killed already
	}
	defer w.close()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := w.do("BGREWRITEAOF")
		if err != nil {
			return
		}
		if v.kind == '+' {
			if c.merges++; c.merges == 1 {
				close(c.merging)
			}
		} else if !strings.Contains(v.raw, "already in progress") {
			c.t.Errorf("BGREWRITEAOF: %s", v.raw)
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// check compares every writer's databases with what it may have left there.
func (c *crasher) check(n int) {
	w := c.srv.wire(c.t)
	defer w.close()
	for _, writer := range c.writers {
		got, err := writer.observe(w)
		if err != nil {
			c.t.Errorf("cycle %d: reading database %d: %v\n%s", n, writer.db, err, c.srv.logTail())
			continue
		}
		if err := writer.judge(got); err != nil {
			c.t.Errorf("cycle %d, database %d: %v\n%s", n, writer.db, err, c.srv.logTail())
		}
	}
}

// finish checks once more, after a clean end as well.
func (c *crasher) finish() {
	c.srv = startIn(c.t, ours, c.dir, c.args...)
	c.check(-1)
	if code := c.srv.terminate(c.t, syscall.SIGTERM); code != 0 {
		c.t.Errorf("exit code %d after SIGTERM\n%s", code, c.srv.logTail())
	}
	if ours.isOurs() {
		out, err := exec.Command(ours.bin(c.t), "check", c.dir).CombinedOutput()
		if err != nil {
			c.t.Errorf("check: %v\n%s", err, out)
		}
	}
	c.srv = startIn(c.t, ours, c.dir, c.args...)
	c.check(-2)
	c.srv.kill()
	c.t.Logf("%d merges were begun", c.merges)
}

// crashValue is one key's value and its expiry, 0 without.
type crashValue struct {
	text     string
	expireMs int64
}

// crashOp is one command, or one MULTI ... EXEC, and what it does to the model.
type crashOp struct {
	cmds  [][]string
	apply func(state map[string]crashValue)
}

// crashWriter owns crashDBs databases. Its state is a map from "db/key".
type crashWriter struct {
	gen
	db    int // the first of its databases
	cur   int // the database selected on its connection, 0 or 1 of its own
	base  map[string]crashValue
	ops   []crashOp // since base
	acked int       // ops[:acked] were answered
	err   error     // a reply that should not be
}

func (w *crashWriter) stateKey(db int, key string) string { return strconv.Itoa(db) + "/" + key }

// run sends batches of commands until the connection breaks.
func (w *crashWriter) run(addr string, stop chan struct{}) {
	w.ops, w.acked, w.err, w.cur = nil, 0, nil, 0
	conn, err := dialWire(addr)
	if err != nil {
		return // killed before it began
	}
	defer conn.close()
	if _, err := conn.do("SELECT", strconv.Itoa(w.db)); err != nil {
		return
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		var buf []byte
		from := len(w.ops)
		for range 1 + w.IntN(16) {
			op := w.op()
			w.ops = append(w.ops, op)
			for _, args := range op.cmds {
				buf = appendCommand(buf, args...)
			}
		}
		if err := conn.write(buf); err != nil {
			return
		}
		for _, op := range w.ops[from:] {
			if err := w.readReplies(conn, op); err != nil {
				return
			}
			w.acked++
		}
	}
}

// readReplies reads the replies to one op; they must be no errors but RENAME's
// of a missing key.
func (w *crashWriter) readReplies(conn *wire, op crashOp) error {
	for _, args := range op.cmds {
		v, err := conn.read()
		if err != nil {
			return err
		}
		for _, e := range append(v.elems, v) {
			if e.kind == '-' && e.raw != "-ERR no such key\r\n" {
				w.err = fmt.Errorf("%.100q: %s", args, e.raw)
				return io.ErrUnexpectedEOF
			}
		}
	}
	return nil
}

// op makes the next operation: a command, or a transaction of several.
func (w *crashWriter) op() crashOp {
	if !w.chance(5) {
		return w.single(&w.cur)
	}
	ops := make([]crashOp, 2+w.IntN(5))
	all := crashOp{cmds: [][]string{{"MULTI"}}}
	for i := range ops {
		ops[i] = w.single(&w.cur)
		all.cmds = append(all.cmds, ops[i].cmds...)
	}
	all.cmds = append(all.cmds, []string{"EXEC"})
	all.apply = func(state map[string]crashValue) {
		for _, op := range ops {
			op.apply(state)
		}
	}
	return all
}

// one is the operation of a single command.
func one(apply func(s map[string]crashValue), args ...string) crashOp {
	return crashOp{[][]string{args}, apply}
}

// single makes one command. db is the database it will run in, 0 or 1.
func (w *crashWriter) single(db *int) crashOp {
	at := w.db + *db
	k, l := fmt.Sprintf("k%d", w.IntN(crashKeys)), fmt.Sprintf("k%d", w.IntN(crashKeys))
	key, other := w.stateKey(at, k), w.stateKey(at, l)
	switch n := w.IntN(200); {
	case n < 60:
		v := w.payload()
		return one(func(s map[string]crashValue) { s[key] = crashValue{text: v} }, "SET", k, v)
	case n < 70:
		v, when := w.payload(), w.farAway()
		return one(func(s map[string]crashValue) { s[key] = crashValue{v, when} }, "SET", k, v, "PXAT", strconv.FormatInt(when, 10))
	case n < 85:
		v := w.payload()
		return one(func(s map[string]crashValue) {
			s[key] = crashValue{s[key].text + v, s[key].expireMs}
		}, "APPEND", k, v)
	case n < 95:
		v, off := w.payload(), w.IntN(2000)
		return one(func(s map[string]crashValue) {
			s[key] = crashValue{setRange(s[key].text, off, v), s[key].expireMs}
		}, "SETRANGE", k, strconv.Itoa(off), v)
	case n < 115:
		c, by := fmt.Sprintf("n%d", w.IntN(crashKeys)), w.IntN(1000)
		counter := w.stateKey(at, c)
		return one(func(s map[string]crashValue) {
			var old int
			if text := s[counter].text; text != "" {
				old, _ = strconv.Atoi(text) // the model wrote it
			}
			s[counter] = crashValue{strconv.Itoa(old + by), s[counter].expireMs}
		}, "INCRBY", c, strconv.Itoa(by))
	case n < 135:
		return one(func(s map[string]crashValue) { delete(s, key); delete(s, other) }, "DEL", k, l)
	case n < 150:
		a, b := w.payload(), w.payload()
		return one(func(s map[string]crashValue) {
			s[key] = crashValue{text: a}
			s[other] = crashValue{text: b}
		}, "MSET", k, a, l, b)
	case n < 160:
		return one(func(s map[string]crashValue) {
			if v, ok := s[key]; ok {
				delete(s, key)
				s[other] = v
			}
		}, "RENAME", k, l)
	default:
		return w.rare(n, db, k, l)
	}
}

// rare makes the commands that are fewer.
func (w *crashWriter) rare(n int, db *int, k, l string) crashOp {
	at := w.db + *db
	key, other := w.stateKey(at, k), w.stateKey(at, l)
	switch {
	case n < 168 && k != l:
		return one(func(s map[string]crashValue) {
			if v, ok := s[key]; ok {
				s[other] = v
			}
		}, "COPY", k, l, "REPLACE")
	case n < 178:
		when := w.farAway()
		return one(func(s map[string]crashValue) {
			if v, ok := s[key]; ok {
				s[key] = crashValue{v.text, when}
			}
		}, "PEXPIREAT", k, strconv.FormatInt(when, 10))
	case n < 184:
		return one(func(s map[string]crashValue) {
			if v, ok := s[key]; ok {
				s[key] = crashValue{text: v.text}
			}
		}, "PERSIST", k)
	case n < 190:
		to := w.db + 1 - *db
		return one(func(s map[string]crashValue) {
			v, ok := s[key]
			if _, taken := s[w.stateKey(to, k)]; ok && !taken {
				delete(s, key)
				s[w.stateKey(to, k)] = v
			}
		}, "MOVE", k, strconv.Itoa(to))
	case n < 196:
		*db = 1 - *db
		return one(func(map[string]crashValue) {}, "SELECT", strconv.Itoa(w.db+*db))
	case n < 198:
		return one(func(s map[string]crashValue) { w.swap(s) }, "SWAPDB", strconv.Itoa(w.db), strconv.Itoa(w.db+1))
	case n == 198:
		prefix := w.stateKey(at, "")
		return one(func(s map[string]crashValue) {
			maps.DeleteFunc(s, func(k string, _ crashValue) bool { return strings.HasPrefix(k, prefix) })
		}, "FLUSHDB")
	default:
		v := w.bytes(16<<10 + w.IntN(40<<10))
		return one(func(s map[string]crashValue) { s[key] = crashValue{text: v} }, "SET", k, v)
	}
}

// swap exchanges the model's two databases.
func (w *crashWriter) swap(s map[string]crashValue) {
	swapped := map[string]crashValue{}
	for k, v := range s {
		db, key, _ := strings.Cut(k, "/")
		to := w.db
		if db == strconv.Itoa(w.db) {
			to = w.db + 1
		}
		swapped[w.stateKey(to, key)] = v
	}
	clear(s)
	maps.Copy(s, swapped)
}

// payload is a value that no other command has written.
func (w *crashWriter) payload() string {
	return strconv.FormatUint(w.Uint64(), 36) + w.bytes(w.IntN(200))
}

// farAway is an expiry in the next century.
func (w *crashWriter) farAway() int64 { return 4_102_444_800_000 + int64(w.IntN(1_000_000)) }

func setRange(text string, off int, v string) string {
	b := []byte(text)
	if n := off + len(v); n > len(b) {
		b = append(b, make([]byte, n-len(b))...)
	}
	copy(b[off:], v)
	return string(b)
}

// observe reads the writer's databases.
func (w *crashWriter) observe(conn *wire) (map[string]crashValue, error) {
	state := map[string]crashValue{}
	for db := w.db; db < w.db+crashDBs; db++ {
		if _, err := conn.do("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		keys, err := scanAll(conn)
		if err != nil {
			return nil, err
		}
		var buf []byte
		for _, k := range keys {
			buf = appendCommand(appendCommand(buf, "GET", k), "PEXPIRETIME", k)
		}
		if err := conn.write(buf); err != nil {
			return nil, err
		}
		for _, k := range keys {
			text, err1 := conn.read()
			expire, err2 := conn.read()
			if err := errors.Join(err1, err2); err != nil {
				return nil, err
			}
			if text.kind != '$' || text.null {
				return nil, fmt.Errorf("GET %s: %q", k, text.raw)
			}
			ms, err := strconv.ParseInt(expire.text, 10, 64)
			if err != nil {
				return nil, err
			}
			state[w.stateKey(db, k)] = crashValue{text.text, max(ms, 0)}
		}
	}
	return state, nil
}

// judge finds the prefix of the writer's operations that explains what was
// found; it becomes the base of the next cycle.
func (w *crashWriter) judge(got map[string]crashValue) error {
	state := maps.Clone(w.base)
	for _, op := range w.ops[:w.acked] {
		op.apply(state)
	}
	acked := maps.Clone(state)
	for n := w.acked; ; n++ {
		if maps.Equal(state, got) {
			w.base, w.ops, w.acked = got, nil, 0
			return nil
		}
		if n == len(w.ops) {
			break
		}
		w.ops[n].apply(state)
	}
	return fmt.Errorf("no prefix of the commands explains the data: %d acknowledged of %d sent\nagainst the acknowledged:%s\nthe operations in doubt:%s",
		w.acked, len(w.ops), describe(got, acked), w.inDoubt())
}

// describe lists the first keys that differ.
func describe(got, want map[string]crashValue) string {
	var out strings.Builder
	n := 0
	for _, k := range slices.Sorted(maps.Keys(union(got, want))) {
		if got[k] == want[k] {
			continue
		}
		_, inGot := got[k]
		_, inWant := want[k]
		fmt.Fprintf(&out, "\n  %s: got %t %.60q (%d bytes, expires %d), want %t %.60q (%d bytes, expires %d)",
			k, inGot, got[k].text, len(got[k].text), got[k].expireMs, inWant, want[k].text, len(want[k].text), want[k].expireMs)
		if n++; n == 10 {
			break
		}
	}
	return out.String()
}

func union(a, b map[string]crashValue) map[string]crashValue {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// inDoubt lists the commands sent but not acknowledged.
func (w *crashWriter) inDoubt() string {
	var out strings.Builder
	for _, op := range w.ops[w.acked:] {
		fmt.Fprintf(&out, "\n  %.200q", op.cmds)
	}
	return out.String()
}

// TestJudge shows that the judge bites: what may be found after a crash, and
// what may not.
func TestJudge(t *testing.T) {
	set := func(k, v string) crashOp {
		return one(func(s map[string]crashValue) { s[k] = crashValue{text: v} }, "SET", k, v)
	}
	both := crashOp{[][]string{{"MULTI"}, {"EXEC"}}, func(s map[string]crashValue) {
		s["0/a"], s["0/b"] = crashValue{text: "3"}, crashValue{text: "3"}
	}}
	state := func(a, b string) map[string]crashValue {
		return map[string]crashValue{"0/a": {text: a}, "0/b": {text: b}}
	}
	for name, row := range map[string]struct {
		got   map[string]crashValue
		legal bool
	}{
		"all acknowledged":         {state("1", "2"), true},
		"all sent":                 {state("3", "3"), true},
		"an acknowledged one gone": {state("1", "0"), false},
		"half an EXEC":             {state("3", "2"), false},
		"a key gone":               {map[string]crashValue{"0/a": {text: "1"}}, false},
		"a wrong value":            {state("1", "x"), false},
		"an expiry":                {map[string]crashValue{"0/a": {text: "1"}, "0/b": {"2", 9}}, false},
	} {
		w := &crashWriter{base: state("0", "0"), ops: []crashOp{set("0/a", "1"), set("0/b", "2"), both}, acked: 2}
		if err := w.judge(row.got); (err == nil) != row.legal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
