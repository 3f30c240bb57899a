package resp

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bitkv/types"
)

// Waiting for a key (BLPOP and its kin), and being served.
//
// A command that finds nothing to take parks its client, with a waiter in the
// queues of its keys (types.Await). Whoever runs a command that leaves such a key
// with something to take serves the queue before anything else: for one client
// after the other, in the order in which they came, it takes what the client
// wants in a transaction of the client's own, makes the reply, and wakes the
// client, which sends it. That may make another key ready (BLMOVE), whose queue is
// served then.
//
// In Redis all this happens before any other command runs. So it must look here:
// from before the commit that made the key ready until its queue is served, the
// shards of the keys are in a handover, and transactions of other commands on
// them, if they do not run yet, wait for its end.

// blocking is what a command that waits for keys does.
type blocking struct {
	typeName string // of the values that it takes
	keys     [][]byte
	also     []byte // a key besides them that take changes; nil: none
	take     takeFunc
	// none appends the reply of a command that finds nothing in a transaction,
	// where it does not wait.
	none func(r *reply)
}

// takeFunc takes what there is at a key and appends the reply. done is false if
// there is nothing; err is replied in the place of what was appended. also is that
// of blocking. It must not use the client, nor hold arguments of the command: it
// may run later, in another client's goroutine.
type takeFunc func(tx *types.Tx, r *reply, key, also []byte) (done bool, err error)

// waiter is a parked client that waits for keys.
type waiter struct {
	c       *client
	await   *types.Await
	also    []byte
	take    takeFunc
	proto   int
	noTouch bool

	// What it was served, between claim and deliver.
	reply []byte
	err   error
	seq   uint64 // that the reply depends on
}

// argWait parses the timeout of a command that waits. ok is false if an error was
// replied.
func (c *client) argWait(arg []byte) (deadline time.Time, ok bool) {
	ms, ok := types.ParseTimeout(arg)
	switch {
	case !ok:
		c.err(errTimeoutNotFloat)
		return deadline, false
	case ms < 0:
		c.err(errTimeoutSign)
		return deadline, false
	}
	return deadlineIn(min(ms, maxTimeoutMs)), true
}

// takeOrWait replies with what there is at the first key that has something, or
// parks the client until one has.
func (c *client) takeOrWait(b *blocking, deadline time.Time) {
	from := len(c.buf)
	for _, key := range b.keys {
		done, err := b.take(c.tx, &c.reply, key, b.also)
		if err != nil {
			c.failFrom(from, err)
			return
		}
		if done {
			return
		}
	}
	if c.inExec() {
		b.none(&c.reply)
		return
	}
	w := &waiter{
		c: c, also: slices.Clone(b.also), take: b.take, proto: c.proto, noTouch: c.has(clientNoTouch),
	}
	w.await = c.tx.Await(b.typeName, b.keys, w)
	c.park(parking{deadline: deadline, resume: w.resume, cleanup: w.await.End, waiter: w})
}

// resume is parking.resume of a waiter.
func (w *waiter) resume(c *client, timedOut bool) {
	switch {
	case timedOut:
		c.nullArray()
	case w.err != nil:
		c.fail(w.err)
	default:
		c.raw(w.reply)
		c.ackSeq = max(c.ackSeq, w.seq)
	}
}

// handover is a number of keys whose queues are being served. Its client's
// goroutine uses it; shards is guarded by the mutex of the server's handovers.
type handover struct {
	keys   []types.ReadyKey
	shards types.ShardSet
	on     bool
}

// handovers are those going on.
type handovers struct {
	n atomic.Int32 // 0 lets transactions skip the rest

	mu   sync.Mutex // guards following
	done sync.Cond  // one has ended
	list []*handover
}

// maxHandoverWaits bounds how often a transaction is put off by a handover: one
// that locks many shards might find another one every time.
const maxHandoverWaits = 64

// begin starts the transaction of a command on the shards in c.shards. It never
// waits for the disk.
func (c *client) begin(write bool) {
	c.beginUnhanded(write)
	c.tx.NoWait(&c.cold.fetch)
}

// beginUnhanded starts it once no handover concerns the shards.
func (c *client) beginUnhanded(write bool) {
	h := &c.srv.handovers
	for range maxHandoverWaits {
		c.tx = c.srv.store.BeginAt(&c.shards, write, c.db, c.nowMs())
		if h.n.Load() == 0 || !h.concerns(&c.shards) {
			return
		}
		c.tx.Rollback()
		h.wait(&c.shards)
		c.clock = time.Since(c.srv.started)
	}
	c.tx = c.srv.store.BeginAt(&c.shards, write, c.db, c.nowMs())
}

// beginKey starts the transaction of a command on one key. It reports false, and
// has not, if it must be looked at more closely whether that may be now. See begin.
func (c *client) beginKey(key []byte, write bool) bool {
	store := c.srv.store
	c.tx = store.BeginKey(key, write, c.db, c.nowMs())
	c.tx.Hint(c.frame.hint)
	if c.srv.handovers.n.Load() == 0 {
		c.tx.NoWait(&c.cold.fetch)
		return true
	}
	c.tx.Rollback()
	c.tx = nil
	return false
}

func (h *handovers) concerns(set *types.ShardSet) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.concernsLocked(set)
}

func (h *handovers) concernsLocked(set *types.ShardSet) bool {
	for _, one := range h.list {
		for i, word := range one.shards {
			if word&set[i] != 0 {
				return true
			}
		}
	}
	return false
}

// wait waits until no handover concerns the shards.
func (h *handovers) wait(set *types.ShardSet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.concernsLocked(set) {
		h.done.Wait()
	}
}

// noteReady is called before a transaction commits: the keys that it makes ready
// are in a handover of this client from now on. REQUIRES: tx holds their shards.
func (c *client) noteReady(tx *types.Tx) {
	o := &c.handover
	had := len(o.keys)
	if o.keys = tx.AppendReady(o.keys); len(o.keys) == had {
		return
	}
	h := &c.srv.handovers
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range o.keys[had:] {
		c.srv.store.AddKey(&o.shards, []byte(k.Key))
	}
	if !o.on {
		o.on = true
		h.list = append(h.list, o)
		h.n.Add(1)
	}
}

// handOver serves those who wait for the keys that a command of this client has
// made ready, and ends the handover.
func (c *client) handOver() {
	o := &c.handover
	defer c.endHandover()
	for served := 0; served < len(o.keys); { // serving may append to them
		k := o.keys[served]
		served++
		c.serveQueue(k)
	}
	c.clock = time.Since(c.srv.started) // the next command does not pay for it
}

func (c *client) endHandover() {
	h, o := &c.srv.handovers, &c.handover
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = slices.DeleteFunc(h.list, func(other *handover) bool { return other == o })
	clear(o.keys)
	*o = handover{keys: o.keys[:0]}
	h.n.Add(-1)
	h.done.Broadcast()
}

// serveQueue serves those who wait for a key until there is nothing left at it.
func (c *client) serveQueue(k types.ReadyKey) {
	for seq := uint64(0); ; {
		a := c.srv.store.NextAwait(k, seq)
		if a == nil || !c.serveWaiter(a.Owner.(*waiter), k) {
			return
		}
		seq = a.Seq()
	}
}

// serveWaiter is serveIn in a transaction of its own. After a panic, which is the
// storage's, the server stops.
func (c *client) serveWaiter(w *waiter, k types.ReadyKey) (more bool) {
	var tx *types.Tx
	defer func() {
		if r := recover(); r != nil {
			s := c.srv
			s.stats.unexpectedErrors.Add(1)
			s.log.Error("panic while a waiting client was served", "client", w.c.addr,
				"panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if tx != nil {
				rollBack(tx)
			}
			s.askShutdown(ShutdownRequest{Force: true, Err: fmt.Errorf("resp: storage panicked: %v", r)})
			more = false
		}
	}()
	var set types.ShardSet
	key := []byte(k.Key)
	c.srv.store.AddKey(&set, key)
	if w.also != nil {
		c.srv.store.AddKey(&set, w.also)
	}
	tx = c.srv.store.Begin(&set, true, k.DB)
	return c.serveIn(tx, w, key)
}

// serveIn gives a waiter what it wants of a key, if that is there, and ends the
// transaction. It reports whether the key still exists as far as it knows.
func (c *client) serveIn(tx *types.Tx, w *waiter, key []byte) (more bool) {
	typeName, exists := tx.TypeAt(key)
	if !exists || typeName != w.await.TypeName() {
		tx.Rollback()
		return exists
	}
	tx.SetNoTouch(w.noTouch)
	r := reply{proto: w.proto}
	done, err := w.take(tx, &r, key, w.also)
	if !done && err == nil || !w.c.claim(w) {
		tx.Rollback()
		return true
	}
	w.await.End()
	if err != nil {
		tx.Rollback()
	} else {
		c.noteReady(tx)
		w.seq, err = tx.Commit()
	}
	w.reply, w.err = r.buf, err
	w.c.deliver(w)
	return true
}
