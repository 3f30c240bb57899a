package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// This file is the judge of the trust suites: a model of a database as Go maps,
// a workload of random transactions over both, and the comparison. Every
// transaction writes its number into counterKey, so that a recovered database
// says itself which prefix of the commit order it claims to be; the rest must
// then be exactly that.

// Two environment variables steer the trust suites:
//
//	BITKV_TEST_BUDGET  how many seeds each suite runs (default 1)
//	BITKV_TEST_SEED    the first seed (default 1)
//
// Each run logs its seed, so that a failure can be repeated alone.

// trustSeeds runs test once for each seed of the budget.
func trustSeeds(t *testing.T, test func(t *testing.T, seed uint64)) {
	t.Helper()
	first, budget := envNumber(t, "BITKV_TEST_SEED", 1), envNumber(t, "BITKV_TEST_BUDGET", 1)
	for seed := first; seed < first+budget; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("seed %d", seed)
			test(t, seed)
		})
	}
}

func envNumber(t *testing.T, name string, missing uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return missing
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

const (
	counterKey  = "#"
	modelSpaces = 3
	modelTag    = 7
)

type modelKey struct {
	space int
	key   string
}

// modelHead is never changed once it is in a model: models share them.
type modelHead struct {
	tag      uint8
	expireMs int64
	value    string
	order    Order
	elements map[string]string // nil: no collection
}

type model map[modelKey]modelHead

// diff describes the first difference, or is empty.
func (m model) diff(got model) string {
	for k, want := range m {
		h, ok := got[k]
		if !ok {
			return fmt.Sprintf("key %v is missing, want %s", k, want)
		}
		if h.tag != want.tag || h.expireMs != want.expireMs || h.value != want.value ||
			(h.elements == nil) != (want.elements == nil) || h.order != want.order ||
			!maps.Equal(h.elements, want.elements) {
			return fmt.Sprintf("key %v: got %s, want %s", k, h, want)
		}
	}
	for k, h := range got {
		if _, ok := m[k]; !ok {
			return fmt.Sprintf("key %v should not exist, got %s", k, h)
		}
	}
	return ""
}

func (h modelHead) String() string {
	s := fmt.Sprintf("{tag %d expire %d value %s", h.tag, h.expireMs, brief(h.value))
	if h.elements != nil {
		s += fmt.Sprintf(" order %d elements", h.order)
		for _, sub := range slices.Sorted(maps.Keys(h.elements)) {
			s += fmt.Sprintf(" %s=%s", sub, brief(h.elements[sub]))
		}
	}
	return s + "}"
}

func brief(s string) string {
	if len(s) > 24 {
		return fmt.Sprintf("%q...(%d)", s[:24], len(s))
	}
	return strconv.Quote(s)
}

// beginAll begins a transaction over every shard.
func beginAll(db *DB, write bool) *Tx {
	var set ShardSet
	set.AddAll(db.Shards())
	return db.Begin(&set, write)
}

// dump reads a whole database, every value included.
func dump(db *DB) (model, error) {
	tx := beginAll(db, false)
	got := model{}
	var failed error
	for space := range modelSpaces {
		for shard := range db.Shards() {
			tx.Scan(space, shard, 0, func(key []byte, h Head) bool {
				head, err := readHead(tx, &h)
				if err != nil {
					failed = fmt.Errorf("key %q of space %d: %w", key, space, err)
					return false
				}
				got[modelKey{space, string(key)}] = head
				return true
			})
			if failed != nil {
				tx.Rollback()
				return got, failed
			}
		}
	}
	_, err := tx.Commit()
	return got, err
}

func readHead(tx *Tx, h *Head) (modelHead, error) {
	value, err := tx.AppendValue(nil, h)
	if err != nil {
		return modelHead{}, err
	}
	if len(value) != h.Size {
		return modelHead{}, fmt.Errorf("value has %d bytes, head says %d", len(value), h.Size)
	}
	head := modelHead{tag: h.Tag, expireMs: h.ExpireMs, value: string(value)}
	c := h.Collection()
	if c == nil {
		return head, nil
	}
	head.order, head.elements = c.ID().Order(), map[string]string{}
	c.AscendAt(0, func(e Element) bool {
		value, err = tx.AppendElementValue(nil, &e)
		if err != nil {
			return false
		}
		head.elements[string(e.Subkey)] = string(value)
		return true
	})
	return head, err
}

// counter is the number of the last transaction in m.
func (m model) counter() (int, error) {
	h, ok := m[modelKey{0, counterKey}]
	if !ok {
		return 0, nil
	}
	return strconv.Atoi(h.value)
}

// history is what the judge knows of a workload: the state after each
// transaction that was begun, and how far they were acknowledged.
type history struct {
	mu     sync.Mutex
	states []model // states[n] is the state after n transactions
	acked  int     // the operating system has this many
	synced int     // the disk has this many, by the promise of Sync or SyncAlways
}

func newHistory() *history { return &history{states: []model{{}}} }

// moment is what is known at one time of a history.
type moment struct {
	states        []model
	acked, synced int
}

func (h *history) now() moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return moment{slices.Clone(h.states), h.acked, h.synced}
}

// last is the newest state, and its number.
func (h *history) last() (model, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[len(h.states)-1], len(h.states) - 1
}

// begin notes the state after a transaction that may reach the disk from now on.
func (h *history) begin(m model) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, m)
}

// undo takes begin back.
func (h *history) undo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = h.states[:len(h.states)-1]
}

// ack notes that n transactions are acknowledged, and, if synced, on the disk.
func (h *history) ack(n int, synced bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = max(h.acked, n)
	if synced {
		h.synced = max(h.synced, n)
	}
}

// promised is how many transactions must survive a crash of the given mode.
func (r moment) promised(mode crashMode) int {
	if mode == crashKept || mode == crashKill {
		return r.acked
	}
	return r.synced
}

// judge compares a recovered database with the history: it must be the state
// after n transactions, n at least atLeast. It returns n.
func (r moment) judge(db *DB, atLeast int) (int, error) {
	got, err := dump(db)
	if err != nil {
		return 0, err
	}
	n, err := got.counter()
	begun := len(r.states) - 1
	switch {
	case err != nil:
		return 0, err
	case n < atLeast:
		return n, fmt.Errorf("recovered %d transactions, %d are acknowledged (of %d begun)", n, atLeast, begun)
	case n > begun:
		return n, fmt.Errorf("recovered %d transactions, only %d were begun", n, begun)
	}
	if diff := r.states[n].diff(got); diff != "" {
		return n, fmt.Errorf("after %d transactions of %d: %s", n, begun, diff)
	}
	return n, nil
}

// workload makes random transactions on a database and in a history.
type workload struct {
	rng  *rand.Rand
	db   *DB
	h    *history
	keys int
	// large is the size of the largest values.
	large int
	sync  SyncPolicy
}

// step does one transaction. An error of Commit leaves the history as it was;
// one of Ack leaves the transaction begun but not acknowledged.
func (w *workload) step() error {
	tx := beginAll(w.db, true)
	last, n := w.h.last()
	m := maps.Clone(last)
	n++
	changes := 1
	if w.rng.IntN(4) == 0 {
		changes += w.rng.IntN(5)
	}
	for range changes {
		if err := w.change(tx, m); err != nil {
			tx.Rollback()
			return err
		}
	}
	if w.rng.IntN(20) == 0 {
		tx.Rollback()
		return nil
	}
	m[modelKey{0, counterKey}] = modelHead{tag: modelTag, value: strconv.Itoa(n)}
	if err := tx.Put(0, []byte(counterKey), Meta{Tag: modelTag}, []byte(strconv.Itoa(n))); err != nil {
		tx.Rollback()
		return err
	}
	w.h.begin(m)
	seq, err := tx.Commit()
	if err != nil {
		w.h.undo()
		return fmt.Errorf("commit: %w", err)
	}
	if err := w.db.Ack(seq); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	w.h.ack(n, w.sync == SyncAlways)
	return nil
}

// syncNow calls DB.Sync and notes what it promises.
func (w *workload) syncNow() error {
	_, n := w.h.last()
	if err := w.db.Sync(); err != nil {
		return err
	}
	w.h.ack(n, true)
	return nil
}

func (w *workload) key() modelKey {
	return modelKey{w.rng.IntN(modelSpaces), fmt.Sprintf("key:%d", w.rng.IntN(w.keys))}
}

// value is never the same twice, and says where it belongs.
func (w *workload) value(k modelKey) string {
	unit := fmt.Sprintf("%d/%s/%d;", k.space, k.key, w.rng.IntN(1_000_000))
	switch r := w.rng.IntN(40); {
	case r < 3:
		return ""
	case r < 10:
		return unit[len(unit)-1-w.rng.IntN(8):]
	case r < 34:
		return unit + strings.Repeat("x", w.rng.IntN(60))
	case r < 39:
		return strings.Repeat(unit, 1+w.rng.IntN(40))
	default:
		return strings.Repeat(unit, 1+w.large/len(unit))
	}
}

func (w *workload) meta() Meta {
	m := Meta{Tag: uint8(1 + w.rng.IntN(5))}
	if w.rng.IntN(4) == 0 {
		m.ExpireMs = w.expire()
	}
	return m
}

// expire is a time in the past or in the future of any clock: the engine must
// keep an expired key until it is told to delete it.
func (w *workload) expire() int64 {
	return []int64{0, 1, 1_000_000, 1 << 40, 1 << 42, 1<<62 + 1}[w.rng.IntN(6)]
}

// change does one random change to the transaction and to the model.
func (w *workload) change(tx *Tx, m model) error {
	k := w.key()
	h, exists := m[k]
	switch r := w.rng.IntN(200); {
	case r < 80:
		meta, value := w.meta(), w.value(k)
		m[k] = modelHead{tag: meta.Tag, expireMs: meta.ExpireMs, value: value}
		return tx.Put(k.space, []byte(k.key), meta, []byte(value))
	case r < 100:
		delete(m, k)
		if tx.Delete(k.space, []byte(k.key)) != exists {
			return fmt.Errorf("Delete of %v: want %v", k, exists)
		}
	case r < 120:
		expireMs := w.expire()
		if tx.SetExpire(k.space, []byte(k.key), expireMs) != exists {
			return fmt.Errorf("SetExpire of %v: want %v", k, exists)
		}
		if exists {
			h.expireMs = expireMs
			m[k] = h
		}
	case r < 130:
		return w.rename(tx, m, k)
	case r < 142:
		return w.newCollection(tx, m, k)
	case r < 196:
		return w.changeElement(tx, m)
	case r < 198:
		tx.ClearSpace(k.space)
		maps.DeleteFunc(m, func(other modelKey, _ modelHead) bool { return other.space == k.space })
	default:
		return w.swap(tx, m, k.space, w.rng.IntN(modelSpaces))
	}
	return nil
}

func (w *workload) rename(tx *Tx, m model, from modelKey) error {
	to := w.key()
	if from == to {
		return nil
	}
	h, exists := m[from]
	ok, err := tx.Rename(from.space, []byte(from.key), to.space, []byte(to.key))
	if err == nil && ok != exists {
		err = fmt.Errorf("Rename of %v: got %v, want %v", from, ok, exists)
	}
	if exists {
		delete(m, from)
		m[to] = h
	}
	return err
}

func (w *workload) swap(tx *Tx, m model, a, b int) error {
	if a == b {
		return nil
	}
	tx.SwapSpaces(a, b)
	was := maps.Clone(m)
	clear(m)
	for k, h := range was {
		switch k.space {
		case a:
			k.space = b
		case b:
			k.space = a
		}
		m[k] = h
	}
	return nil
}

func (w *workload) newCollection(tx *Tx, m model, k modelKey) error {
	meta := w.meta()
	order := Order(w.rng.IntN(3))
	c := tx.NewCollection(order)
	h := modelHead{tag: meta.Tag, expireMs: meta.ExpireMs, order: order, elements: map[string]string{}}
	if w.rng.IntN(3) == 0 {
		h.value = w.value(k)
	}
	for range w.rng.IntN(6) {
		sub, value := w.element(k, order)
		h.elements[sub] = value
		if _, err := tx.PutElement(c, []byte(sub), []byte(value)); err != nil {
			return err
		}
	}
	m[k] = h
	return tx.PutCollection(k.space, []byte(k.key), meta, c, []byte(h.value))
}

func (w *workload) element(k modelKey, order Order) (sub, value string) {
	sub = fmt.Sprintf("sub%d", w.rng.IntN(12))
	if order == OrderScore {
		return sub, string(binary.BigEndian.AppendUint64(nil, w.rng.Uint64N(5)))
	}
	return sub, w.value(k)
}

// changeElement puts or deletes an element of a collection, if there is one.
func (w *workload) changeElement(tx *Tx, m model) error {
	var with []modelKey
	for k, h := range m {
		if h.elements != nil {
			with = append(with, k)
		}
	}
	if len(with) == 0 {
		return nil
	}
	slices.SortFunc(with, func(a, b modelKey) int {
		if a.space != b.space {
			return a.space - b.space
		}
		return strings.Compare(a.key, b.key)
	})
	k := with[w.rng.IntN(len(with))]
	h := m[k]
	head, ok := tx.Get(k.space, []byte(k.key))
	if !ok || head.Collection() == nil {
		return fmt.Errorf("%v has no collection, want one", k)
	}
	c := head.Collection()
	sub, value := w.element(k, h.order)
	_, exists := h.elements[sub]
	h.elements = maps.Clone(h.elements)
	m[k] = h
	if w.rng.IntN(3) == 0 {
		delete(h.elements, sub)
		return w.deleteElement(tx, c, []byte(sub), exists)
	}
	h.elements[sub] = value
	added, err := tx.PutElement(c, []byte(sub), []byte(value))
	if err == nil && added == exists {
		err = fmt.Errorf("PutElement %s of %v: got new %v, want %v", sub, k, added, !exists)
	}
	return err
}

// deleteElement deletes an element in one of the three ways there are.
func (w *workload) deleteElement(tx *Tx, c *Collection, sub []byte, exists bool) error {
	way := w.rng.IntN(3)
	rank, found := c.Rank(sub)
	switch {
	case found != exists:
		return fmt.Errorf("Rank of %s: got %v, want %v", sub, found, exists)
	case way == 0 && exists:
		tx.DeleteElementAt(c, rank)
	case way == 1 && exists && c.ID().Order() == OrderScore:
		e := c.At(rank)
		value, _ := e.Value()
		rank, _ = c.RankScore(value[:], sub)
		tx.DeleteElementAtScore(c, rank)
	default:
		if tx.DeleteElement(c, sub) != exists {
			return fmt.Errorf("DeleteElement %s: want %v", sub, exists)
		}
		return nil
	}
	if _, found := c.Rank(sub); found {
		return fmt.Errorf("%s is there after it was deleted", sub)
	}
	return nil
}

// trustOptions are the options of the trust suites: everything small, so that a
// few hundred transactions rotate, merge and split frames over files.
func trustOptions(m *memFS, rng *rand.Rand) Options {
	opt := Options{
		FS:             m,
		DataFileBytes:  4 << 10,
		Shards:         4,
		Spaces:         modelSpaces,
		MergeRatio:     0.3,
		MergeDeadBytes: 6 << 10,
		MergeRateBytes: -1,
		NowMs:          func() int64 { return 1 << 41 },
	}
	if rng.IntN(2) == 0 {
		opt.Index = IndexPlar
	}
	if rng.IntN(2) == 0 {
		opt.NoPreallocate = true
	}
	if rng.IntN(2) == 0 {
		opt.NoMmap = true
	}
	return opt
}
