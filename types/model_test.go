package types

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bitkv/engine"
)

// modelKey is what a key should be.
type modelKey struct {
	value    string
	expireMs int64
}

// model is what all databases should hold.
type model [3]map[string]modelKey

func newModel() (m model) {
	for db := range m {
		m[db] = map[string]modelKey{}
	}
	return m
}

func (m model) clone() (c model) {
	for db := range m {
		c[db] = maps.Clone(m[db])
	}
	return c
}

// expire drops what has expired.
func (m model) expire(nowMs int64) {
	for _, keys := range m {
		maps.DeleteFunc(keys, func(_ string, k modelKey) bool { return k.expireMs != 0 && nowMs > k.expireMs })
	}
}

// modelCommand draws one command, runs it in tx and on the model, and compares
// the results.
func modelCommand(rt *rapid.T, tx *Tx, m *model) {
	key := rapid.SampledFrom([]string{"a", "b", "{a}c", "d"})
	db := rapid.IntRange(0, len(m)-1).Draw(rt, "db")
	tx.SetDB(db)
	keys := m[db]
	name, to := key.Draw(rt, "key"), key.Draw(rt, "to")
	toDB := rapid.IntRange(0, len(m)-1).Draw(rt, "toDB")
	atMs := rapid.SampledFrom([]int64{0, tx.nowMs - 1, tx.nowMs, tx.nowMs + 1, tx.nowMs + 50}).Draw(rt, "atMs")
	old, exists := keys[name]
	same := func(what string, got, want any, err error) {
		if got != want || err != nil {
			rt.Fatalf("%s %q in %d: got %v, %v, want %v", what, name, db, got, err, want)
		}
	}
	switch rapid.IntRange(0, 9).Draw(rt, "command") {
	case 0, 1:
		value := fmt.Sprint(rapid.IntRange(0, 1000).Draw(rt, "value"))
		done, err := tx.String().Set([]byte(name), []byte(value), SetOptions{ExpireMs: atMs})
		same("Set", done, true, err)
		keys[name] = modelKey{value, atMs}
	case 2:
		same("Del", tx.Keyspace().Del([]byte(name)), exists, nil)
		delete(keys, name)
	case 3:
		done, err := tx.Keyspace().Rename([]byte(name), []byte(to), true)
		_, taken := keys[to]
		if !exists {
			break // ErrNoKey
		}
		same("Rename", done, !taken, err)
		if done {
			delete(keys, name)
			keys[to] = old
		}
	case 4:
		if _, taken := m[toDB][name]; toDB != db {
			done, err := tx.Keyspace().Move([]byte(name), toDB)
			same("Move", done, exists && !taken, err)
			if done {
				delete(keys, name)
				m[toDB][name] = old
			}
		}
	case 5:
		if toDB != db || name != to {
			done, err := tx.Keyspace().Copy([]byte(name), []byte(to), toDB, true)
			same("Copy", done, exists, err)
			if done {
				m[toDB][to] = old
			}
		}
	case 6:
		same("Expire", tx.Keyspace().Expire([]byte(name), atMs, 0), exists, nil)
		switch {
		case exists && atMs <= tx.nowMs:
			delete(keys, name)
		case exists:
			keys[name] = modelKey{old.value, atMs}
		}
	case 7:
		n, err := tx.String().IncrBy([]byte(name), 7)
		var was int64
		if exists {
			if _, err := fmt.Sscan(old.value, &was); err != nil {
				rt.Fatal(err)
			}
		}
		same("IncrBy", n, was+7, err)
		keys[name] = modelKey{fmt.Sprint(n), old.expireMs}
	case 8:
		same("SwapDB", nil, nil, tx.Keyspace().SwapDB(db, toDB))
		m[db], m[toDB] = m[toDB], m[db]
	case 9:
		tx.Keyspace().FlushDB()
		clear(keys)
	}
	m.expire(tx.nowMs)
}

// TestModel does transactions of several commands, some of them rolled back, with
// time passing, active expiry, merges and reopenings between them, and compares
// everything with maps.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, Options{Databases: 3, Engine: engine.Options{DataFileBytes: 4 << 10}})
		m := newModel()
		for range rapid.IntRange(1, 15).Draw(rt, "transactions") {
			var set ShardSet
			s.AddAll(&set)
			tx := s.Begin(&set, true, 0)
			before := m.clone()
			for range rapid.IntRange(0, 6).Draw(rt, "commands") {
				modelCommand(rt, tx, &m)
			}
			if rapid.IntRange(0, 4).Draw(rt, "rollback") == 0 {
				tx.Rollback()
				m = before
			} else if _, err := tx.Commit(); err != nil {
				rt.Fatal(err)
			}
			switch rapid.IntRange(0, 5).Draw(rt, "between") {
			case 0:
				s.clock.advance(time.Duration(rapid.IntRange(1, 40).Draw(rt, "ms")) * time.Millisecond)
			case 1:
				s.expiry.round(time.Now().Add(time.Hour))
			case 2:
				s.reopen()
			case 3:
				if err := s.Merge(t.Context(), 0); err != nil {
					rt.Fatal(err)
				}
			}
			m.expire(s.NowMs())
			s.compare(rt, m)
		}
	})
}

func (s *testStore) compare(rt *rapid.T, m model) {
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, false, 0)
	defer tx.Rollback()
	for db := range m {
		tx.SetDB(db)
		got := map[string]modelKey{}
		tx.Keyspace().Scan(0, ScanOptions{Count: 1000}, func(key []byte) { got[string(key)] = modelKey{} })
		for key := range got {
			k := modelKey{value: getIn(s.tb, tx, key), expireMs: tx.Keyspace().PExpireTime([]byte(key))}
			k.expireMs = max(k.expireMs, 0)
			got[key] = k
		}
		if !maps.Equal(got, m[db]) {
			rt.Fatalf("database %d: got %v, want %v", db, got, m[db])
		}
	}
}
