package tests

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// T8: what concurrent clients saw must be explained by one order of their
// commands that agrees with real time, also across a kill -9: a command that was
// not answered happened at any later time, or never.
//
//	BITKV_LINEAR_HISTORIES  how many histories, 100 if not set
//	BITKV_LINEAR_SEED       the seed, or "random"; 1 if not set
const (
	linearHistories = 100
	linearClients   = 5
	linearOps       = 20 // each client's in one history
	linearAfterKill = 4  // each client's after a kill: what is open to the end makes the search long
	linearKills     = 4  // one in so many histories has a kill in it
	linearCheckFor  = 30 * time.Second
	linearUndecided = 20 // at most one history in so many may take longer than that
)

// linearOp is one command or transaction.
type linearOp struct {
	cmds [][]string
}

// unanswered is the output of an operation whose reply never came.
const unanswered = "?"

// linearModel is a few keys with strings. The state is a map; the output is the
// text of the replies.
var linearModel = porcupine.Model{
	Init: func() any { return map[string]string{} },
	Step: func(state, input, output any) (bool, any) {
		next := maps.Clone(state.(map[string]string))
		got := linearApply(next, input.(linearOp))
		return output.(string) == unanswered || output.(string) == got, next
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%q -> %s", input.(linearOp).cmds, output)
	},
}

// linearApply does to the state what the server does, and returns the replies.
func linearApply(state map[string]string, op linearOp) string {
	var out []string
	for _, c := range op.cmds {
		out = append(out, linearCommand(state, c))
	}
	return strings.Join(out, " ")
}

func linearCommand(state map[string]string, c []string) string {
	read := func(key string) string {
		if v, ok := state[key]; ok {
			return "=" + v
		}
		return "nil"
	}
	switch c[0] {
	case "GET":
		return read(c[1])
	case "MGET":
		return read(c[1]) + "," + read(c[2])
	case "SET":
		if len(c) == 4 { // NX
			if _, ok := state[c[1]]; ok {
				return "nil"
			}
		}
		state[c[1]] = c[2]
		return "=OK"
	case "MSET":
		state[c[1]], state[c[3]] = c[2], c[4]
		return "=OK"
	case "GETSET":
		old := read(c[1])
		state[c[1]] = c[2]
		return old
	case "APPEND":
		state[c[1]] += c[2]
		return "=" + strconv.Itoa(len(state[c[1]]))
	case "RENAME":
		v, ok := state[c[1]]
		if !ok {
			return "error"
		}
		delete(state, c[1])
		state[c[2]] = v
		return "=OK"
	case "DEL":
		_, ok := state[c[1]]
		delete(state, c[1])
		if ok {
			return "=1"
		}
		return "=0"
	default:
		panic("a command the model does not know: " + c[0])
	}
}

// linearReply is a reply as the model writes it.
func linearReply(v value) string {
	switch {
	case v.kind == '-':
		return "error"
	case v.null:
		return "nil"
	case v.kind == '*':
		out := make([]string, len(v.elems))
		for i, e := range v.elems {
			out[i] = linearReply(e)
		}
		return strings.Join(out, ",")
	default:
		return "=" + v.text
	}
}

func TestLinearizable(t *testing.T) {
	n := envInt(t, "BITKV_LINEAR_HISTORIES", linearHistories)
	seed := seedOf(t, "BITKV_LINEAR_SEED")
	t.Logf("BITKV_LINEAR_HISTORIES=%d", n)
	args := []string{"--appendonly", "yes"}
	if ours.isOurs() {
		args = []string{"--data-file-size", "64kb"}
	}
	dir := t.TempDir()
	s := startIn(t, ours, dir, args...)
	rnd := rand.New(rand.NewPCG(seed, 1<<63)) // its own sequence
	undecided := 0
	for i := range n {
		h := &history{seed: seed, n: uint64(i), began: time.Now(), addr: s.addr}
		var wg sync.WaitGroup
		for c := range linearClients {
			wg.Go(func() { h.client(c, linearOps) })
		}
		if i%linearKills == linearKills-1 {
			time.Sleep(time.Duration(rnd.IntN(4000)) * time.Microsecond) // the moment of the kill
			s.kill()
			wg.Wait()
			s = startIn(t, ours, dir, args...)
			h.addr = s.addr
			for c := range linearClients { // what is there now belongs to the history
				wg.Go(func() { h.client(linearClients+c, linearAfterKill) })
			}
		}
		wg.Wait()
		switch porcupine.CheckOperationsTimeout(linearModel, h.finished(), linearCheckFor) {
		case porcupine.Illegal:
			t.Fatalf("history %d is not linearizable:\n%s", i, h)
		case porcupine.Unknown:
			t.Logf("history %d: no answer within %v", i, linearCheckFor)
			undecided++
		case porcupine.Ok:
		}
	}
	if undecided > n/linearUndecided {
		t.Errorf("%d of %d histories were not decided", undecided, n)
	}
}

// history is what the clients of one run did, on keys of their own.
type history struct {
	seed, n uint64
	began   time.Time
	addr    string

	mu  sync.Mutex // guards ops
	ops []porcupine.Operation
}

// client does n operations, or fewer if the connection breaks.
func (h *history) client(id, n int) {
	g := newGen(h.seed+h.n, uint64(id))
	w, err := dialWire(h.addr)
	if err != nil {
		return // killed before it began
	}
	defer w.close()
	for range n {
		op := h.operation(g)
		call := time.Since(h.began).Nanoseconds()
		out, err := runLinear(w, op)
		if err != nil {
			out = unanswered
		}
		h.mu.Lock()
		h.ops = append(h.ops, porcupine.Operation{ClientId: id, Input: op, Call: call, Output: out, Return: time.Since(h.began).Nanoseconds()})
		h.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// operation makes a random command, or a transaction of several.
func (h *history) operation(g gen) linearOp {
	key := func() string { return fmt.Sprintf("h%d:%d", h.n, g.IntN(3)) }
	single := func() []string {
		v := strconv.Itoa(g.IntN(1_000_000))
		switch g.IntN(12) {
		case 0, 1, 2:
			return []string{"SET", key(), v}
		case 3:
			return []string{"SET", key(), v, "NX"}
		case 4:
			return []string{"GETSET", key(), v}
		case 5:
			return []string{"APPEND", key(), v}
		case 6:
			return []string{"DEL", key()}
		case 7:
			return []string{"MSET", key(), v, key(), v + "0"}
		case 8:
			return []string{"MGET", key(), key()}
		case 9:
			return []string{"RENAME", key(), key()}
		default:
			return []string{"GET", key()}
		}
	}
	op := linearOp{[][]string{single()}}
	if g.chance(5) {
		op.cmds = append(op.cmds, single(), single())
	}
	return op
}

// runLinear runs an operation and returns its replies as the model writes them.
func runLinear(w *wire, op linearOp) (string, error) {
	if len(op.cmds) == 1 {
		v, err := w.do(op.cmds[0]...)
		return linearReply(v), err
	}
	buf := appendCommand(nil, "MULTI")
	for _, c := range op.cmds {
		buf = appendCommand(buf, c...)
	}
	if err := w.write(appendCommand(buf, "EXEC")); err != nil {
		return "", err
	}
	var v value
	for range len(op.cmds) + 2 {
		var err error
		if v, err = w.read(); err != nil {
			return "", err
		}
	}
	out := make([]string, len(v.elems))
	for i, e := range v.elems {
		out[i] = linearReply(e)
	}
	return strings.Join(out, " "), nil
}

// finished is the history with the operations that were not answered open to
// the end.
func (h *history) finished() []porcupine.Operation {
	end := time.Since(h.began).Nanoseconds()
	ops := slices.Clone(h.ops)
	for i := range ops {
		if ops[i].Output == unanswered {
			ops[i].Return = end
		}
	}
	return ops
}

// String lists the operations in the order of their calls.
func (h *history) String() string {
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var out strings.Builder
	for _, op := range h.ops {
		fmt.Fprintf(&out, "  %d: %d..%d %s\n", op.ClientId, op.Call, op.Return, linearModel.DescribeOperation(op.Input, op.Output))
	}
	return out.String()
}

// TestLinearModelBites shows that a read of an old value is refused.
func TestLinearModelBites(t *testing.T) {
	op := func(client int, call, end int64, out string, c ...string) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: linearOp{[][]string{c}}, Call: call, Return: end, Output: out}
	}
	set, old := op(0, 1, 2, "=OK", "SET", "k", "1"), op(1, 3, 4, "nil", "GET", "k")
	if porcupine.CheckOperations(linearModel, []porcupine.Operation{set, old}) {
		t.Error("a GET after the SET may not miss it")
	}
	set.Output, set.Return = unanswered, 9
	if !porcupine.CheckOperations(linearModel, []porcupine.Operation{set, old}) {
		t.Error("a GET beside a SET that was not answered may miss it")
	}
}
