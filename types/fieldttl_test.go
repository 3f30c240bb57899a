package types

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bitkv/engine"
)

// expireFields is Hash.Expire that returns the results.
func (s *testStore) expireFields(key string, atMs int64, cond ExpireCond, fields ...string) (results []int) {
	s.tb.Helper()
	s.update(0, func(tx *Tx) {
		err := tx.Hash().Expire([]byte(key), bytesOf(fields), atMs, cond, func(r int) { results = append(results, r) })
		if err != nil {
			s.tb.Fatal(err)
		}
	})
	return results
}

func (s *testStore) persistFields(key string, fields ...string) (results []int) {
	s.tb.Helper()
	s.update(0, func(tx *Tx) {
		err := tx.Hash().Persist([]byte(key), bytesOf(fields), func(r int) { results = append(results, r) })
		if err != nil {
			s.tb.Fatal(err)
		}
	})
	return results
}

func (s *testStore) hset(key string, pairs ...string) (added int64) {
	s.tb.Helper()
	s.update(0, func(tx *Tx) {
		var err error
		if added, err = tx.Hash().Set([]byte(key), bytesOf(pairs)); err != nil {
			s.tb.Fatal(err)
		}
	})
	return added
}

func bytesOf(list []string) (b [][]byte) {
	for _, s := range list {
		b = append(b, []byte(s))
	}
	return b
}

// hashNow returns what is visible of a hash.
func (s *testStore) hashNow(key string) (m map[string]string) {
	s.tb.Helper()
	s.view(0, func(tx *Tx) { m = hashOf(s.tb, tx, key) })
	return m
}

// round is a round of the active expiry.
func (s *testStore) round() { s.expiry.round(time.Now().Add(time.Hour)) }

// hidden is the number of keys with field expiries.
func (s *testStore) hidden(db int) int { return s.eng.Len(fieldSpace(db)) }

func TestFieldExpireConditions(t *testing.T) {
	s := openTest(t, Options{})
	const now = testEpochMs
	s.hset("h", "f", "1", "g", "2", "past", "3")
	for _, tt := range []struct {
		field string
		atMs  int64
		cond  ExpireCond
		want  int
	}{
		{"nofield", now + 1000, 0, FieldMissing},
		{"f", now + 1000, ExpireXX, FieldUnchanged},
		{"f", now + 1000, ExpireGT, FieldUnchanged},
		{"f", now + 1000, ExpireNX, FieldChanged},
		{"f", now + 2000, ExpireNX, FieldUnchanged},
		{"f", now + 1000, ExpireGT, FieldUnchanged},
		{"f", now + 1001, ExpireGT, FieldChanged},
		{"f", now + 1001, ExpireLT, FieldUnchanged},
		{"f", now + 1000, ExpireLT, FieldChanged},
		{"f", now + 5000, ExpireXX, FieldChanged},
		{"g", now + 1000, ExpireLT, FieldChanged},
		{"past", now, 0, FieldDeleted},
		{"past", now + 1000, 0, FieldMissing},
		{"g", 0, ExpireGT, FieldUnchanged},
		{"g", 0, ExpireXX, FieldDeleted},
	} {
		if got := s.expireFields("h", tt.atMs, tt.cond, tt.field); !slices.Equal(got, []int{tt.want}) {
			t.Errorf("%s at now%+d, condition %d: %v, want %d", tt.field, tt.atMs-now, tt.cond, got, tt.want)
		}
	}
	if got := s.expireFields("missing", now+1000, 0, "a", "b"); !slices.Equal(got, []int{FieldMissing, FieldMissing}) {
		t.Errorf("a key that does not exist: %v", got)
	}
	s.view(0, func(tx *Tx) {
		f, err := tx.Hash().Find([]byte("h"))
		if at, ok := f.ExpireMs([]byte("f")); at != now+5000 || !ok || err != nil {
			t.Errorf("expiry %d, %v, %v", at, ok, err)
		}
	})
	if got := s.persistFields("h", "f", "f", "g"); !slices.Equal(got, []int{FieldChanged, FieldNoExpiry, FieldMissing}) {
		t.Errorf("Persist: %v", got)
	}
	if s.hidden(0) != 0 {
		t.Error("expiries are left where no field has one")
	}
	if got := s.expireFields("h", 1, 0, "f"); !slices.Equal(got, []int{FieldDeleted}) || s.Size(0) != 0 {
		t.Errorf("the last field deleted: %v, %d keys", got, s.Size(0))
	}
}

// TestExpiredFieldIsMissing: from the first moment, to every method, in both forms,
// and it comes back as a new field.
func TestExpiredFieldIsMissing(t *testing.T) {
	for _, n := range []int{3, 300} {
		s := openTest(t, Options{})
		bigHash(t, s, "h", n)
		s.expireFields("h", testEpochMs+100, 0, "f0", "f1")
		s.clock.advance(100 * time.Millisecond)
		if got := s.hashNow("h"); len(got) != n {
			t.Errorf("in its last millisecond a field is gone: %d of %d", len(got), n)
		}
		s.clock.advance(time.Millisecond)
		checkMissingFields(t, s, n)
		if got := s.hashNow("h"); len(got) != n-2 {
			t.Errorf("%d fields are left of %d", len(got), n)
		}
		s.PauseExpiry(true)
		if added := s.hset("h", "f0", "new"); added != 1 {
			t.Errorf("HSET of an expired field: %d new", added)
		}
		s.update(0, func(tx *Tx) {
			if got, err := tx.Hash().IncrBy([]byte("h"), []byte("f1"), 5); got != 5 || err != nil {
				t.Errorf("HINCRBY of an expired field: %d, %v", got, err)
			}
		})
		s.PauseExpiry(false)
		s.clock.advance(time.Hour)
		if got := s.hashNow("h"); len(got) != n || got["f0"] != "new" || got["f1"] != "5" {
			t.Errorf("set again: %d fields, %q, %q", len(got), got["f0"], got["f1"])
		}
		if s.hidden(0) != 0 {
			t.Error("expiries are left")
		}
	}
}

func checkMissingFields(t *testing.T, s *testStore, n int) {
	t.Helper()
	s.PauseExpiry(true) // so that nothing is cleaned up
	defer s.PauseExpiry(false)
	s.update(0, func(tx *Tx) {
		h := tx.Hash()
		f, err := h.Find([]byte("h"))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := f.Get([]byte("f0")); ok || f.Len() != n-2 {
			t.Errorf("Get finds an expired field, or Len %d counts it", f.Len())
		}
		for i := range 5 {
			seen := map[string]bool{}
			note := func(field []byte, _ *Item) error { seen[string(field)] = true; return nil }
			want := n - 2
			switch i {
			case 0:
				err = f.Each(note)
			case 1:
				_, err = f.Scan(0, ScanOptions{Count: 1000}, note)
			case 2:
				err = f.Random(n, false, note)
			case 3:
				want, err = 1, f.Random(1, false, note)
			case 4:
				err = f.Random(50, true, note)
				want = len(seen)
			}
			if err != nil || seen["f0"] || seen["f1"] || len(seen) != want {
				t.Errorf("walk %d: %d fields, want %d; f0 %v, f1 %v, %v", i, len(seen), want, seen["f0"], seen["f1"], err)
			}
		}
		if n, err := h.Del([]byte("h"), bytesOf([]string{"f0"})); n != 0 || err != nil {
			t.Errorf("Del of an expired field: %d, %v", n, err)
		}
	})
}

// TestHashOfExpiredFields does not exist for anybody, though it is still there.
func TestHashOfExpiredFields(t *testing.T) {
	for _, n := range []int{2, 300} {
		s := openTest(t, Options{})
		bigHash(t, s, "h", n)
		var fields []string
		for i := range n {
			fields = append(fields, fmt.Sprintf("f%d", i))
		}
		s.expireFields("h", testEpochMs+100, 0, fields...)
		s.clock.advance(time.Second)
		s.PauseExpiry(true)
		s.view(0, func(tx *Tx) {
			k := tx.Keyspace()
			if k.Exists([]byte("h")) || k.Type([]byte("h")) != "none" || len(hashOf(t, tx, "h")) != 0 {
				t.Error("it exists")
			}
			k.Scan(0, ScanOptions{}, func(key []byte) { t.Errorf("SCAN finds %q", key) })
			if key, ok := k.Random(nil); ok {
				t.Errorf("RANDOMKEY finds %q", key)
			}
		})
		s.PauseExpiry(false)
		s.reopen()
		if added := s.hset("h", "f0", "x"); added != 1 {
			t.Errorf("%d new fields", added)
		}
		if got := s.hashNow("h"); !maps.Equal(got, map[string]string{"f0": "x"}) || s.hidden(0) != 0 {
			t.Errorf("made anew, it is %v; %d expiries", got, s.hidden(0))
		}
	}
}

// TestActiveFieldExpiry removes what nobody looks at, and a hash that is empty then.
func TestActiveFieldExpiry(t *testing.T) {
	var events []string
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e.Key+" "+e.Name) }})
	bigHash(t, s, "large", 1000)
	s.hset("small", "a", "1", "b", "2")
	s.hset("all", "a", "1")
	var fields []string
	for i := range 500 {
		fields = append(fields, fmt.Sprintf("f%d", i))
	}
	s.SetEvents(EventHash | EventGeneric)
	s.expireFields("large", testEpochMs+9000, 0, "f900")
	s.expireFields("large", testEpochMs+1000, 0, fields...) // earlier than what is known
	s.expireFields("small", testEpochMs+1000, 0, "a")
	s.expireFields("all", testEpochMs+1000, 0, "a")
	dirty := s.Stats().Dirty
	events = nil
	for _, tt := range []struct {
		seconds                    int64
		large, small, keys, hidden int
		next                       int64
	}{
		{1, 1000, 2, 3, 3, 1000}, {2, 500, 1, 2, 1, 9000}, {9, 500, 1, 2, 1, 9000}, {10, 499, 1, 2, 0, 0},
	} {
		s.clock.ms.Store(testEpochMs + tt.seconds*1000)
		s.round()
		large, small := s.rawFields("large"), s.rawFields("small")
		if large != tt.large || small != tt.small || s.Size(0) != tt.keys || s.hidden(0) != tt.hidden {
			t.Errorf("after %d s: %d and %d fields, %d keys, %d with expiries; want %+v", tt.seconds, large, small, s.Size(0), s.hidden(0), tt)
		}
		if tt.hidden > 0 {
			s.view(0, func(tx *Tx) {
				h, ok := tx.eng.Get(fieldSpace(0), []byte("large"))
				if want := tt.next; !ok || h.ExpireMs != testEpochMs+want {
					t.Errorf("after %d s: the next expiry is %d, want %d", tt.seconds, h.ExpireMs-testEpochMs, want)
				}
			})
		}
	}
	for _, want := range []string{"large hexpired", "small hexpired", "all hexpired", "all del"} {
		if !slices.Contains(events, want) {
			t.Errorf("no event %q in %q", want, events)
		}
	}
	if n := s.Stats().Dirty - dirty; n != 0 {
		t.Errorf("%d changes to be saved", n)
	}
}

// rawFields is the number of fields that are there, expired or not.
func (s *testStore) rawFields(key string) (n int) {
	s.tb.Helper()
	s.view(0, func(tx *Tx) {
		h, ok := tx.eng.Get(keySpace(0), []byte(key))
		if !ok {
			return
		}
		c, err := tx.open(0, []byte(key), &h, &kinds[tagHash])
		if err != nil {
			s.tb.Fatal(err)
		}
		n = c.size()
	})
	return n
}

// TestLateFieldExpiry: whoever meets expired fields has them removed.
func TestLateFieldExpiry(t *testing.T) {
	s := openTest(t, Options{})
	bigHash(t, s, "h", 300)
	s.expireFields("h", testEpochMs+1000, 0, "f1", "f2")
	w := s.watch("h")
	s.clock.advance(2 * time.Second)
	s.hashNow("h")
	if n := s.rawFields("h"); n != 298 || s.hidden(0) != 0 {
		t.Errorf("%d fields are there, %d keys with expiries", n, s.hidden(0))
	}
	if !s.isDirty(w) {
		t.Error("WATCH did not notice")
	}
}

// TestFieldTTLFollowsTheKey through everything that happens to keys.
func TestFieldTTLFollowsTheKey(t *testing.T) {
	for _, n := range []int{3, 300} {
		s := openTest(t, Options{Databases: 40})
		prepare := func(key string) {
			bigHash(t, s, key, n)
			s.expireFields(key, testEpochMs+1000, 0, "f0")
		}
		expiry := func(db int, key string) (at int64) {
			s.view(db, func(tx *Tx) {
				f, err := tx.Hash().Find([]byte(key))
				if err != nil {
					t.Fatal(err)
				}
				at, _ = f.ExpireMs([]byte("f0"))
			})
			return at
		}
		for name, do := range map[string]func(k Keyspace) (db int, key string){
			"rename": func(k Keyspace) (int, string) { mustDo(t)(k.Rename([]byte("h"), []byte("x"), false)); return 0, "x" },
			"copy":   func(k Keyspace) (int, string) { mustDo(t)(k.Copy([]byte("h"), []byte("x"), 0, true)); return 0, "x" },
			"copy to db 39": func(k Keyspace) (int, string) {
				mustDo(t)(k.Copy([]byte("h"), []byte("x"), 39, true))
				return 39, "x"
			},
			"move":   func(k Keyspace) (int, string) { mustDo(t)(k.Move([]byte("h"), 17)); return 17, "h" },
			"swap":   func(k Keyspace) (int, string) { mustDo(t)(true, k.SwapDB(0, 20)); return 20, "h" },
			"expire": func(k Keyspace) (int, string) { k.Expire([]byte("h"), testEpochMs+5000, 0); return 0, "h" },
		} {
			prepare("h")
			var db int
			var key string
			s.update(0, func(tx *Tx) { db, key = do(tx.Keyspace()) })
			s.reopen()
			if at := expiry(db, key); at != testEpochMs+1000 {
				t.Errorf("%d fields, %s: expiry %d", n, name, at)
			}
			s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
			if h := s.hidden(0) + s.hidden(17) + s.hidden(20) + s.hidden(39); h != 0 {
				t.Errorf("%d fields, %s: after FLUSHALL %d expiries are left", n, name, h)
			}
		}
	}
}

func mustDo(t *testing.T) func(done bool, err error) {
	t.Helper()
	return func(done bool, err error) {
		t.Helper()
		if !done || err != nil {
			t.Fatalf("%v, %v", done, err)
		}
	}
}

// TestFieldTTLGoesWithTheKey whatever takes it away.
func TestFieldTTLGoesWithTheKey(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("h")
	for name, do := range map[string]func(tx *Tx){
		"del": func(tx *Tx) { tx.Keyspace().Del(key) },
		"set": func(tx *Tx) { mustDo(t)(tx.String().Set(key, key, SetOptions{})) },
		"hdel": func(tx *Tx) {
			n, err := tx.Hash().Del(key, bytesOf([]string{"f0", "f1", "f2"}))
			mustDo(t)(n == 3, err)
		},
		"rename": func(tx *Tx) { mustDo(t)(tx.Keyspace().Rename([]byte("other"), key, false)) },
		"copy":   func(tx *Tx) { mustDo(t)(tx.Keyspace().Copy([]byte("other"), key, 0, true)) },
		"past":   func(tx *Tx) { tx.Keyspace().Expire(key, 1, 0) },
		"expire": func(tx *Tx) { tx.Keyspace().Expire(key, testEpochMs+10, 0); s.clock.advance(time.Hour) },
		"hset":   func(tx *Tx) { _, err := tx.Hash().Set(key, bytesOf([]string{"f0", "x"})); mustDo(t)(true, err) },
		"create": func(tx *Tx) {
			c := tx.create(key, tagSet)
			_, err := c.put(key, nil)
			mustDo(t)(true, errors.Join(err, c.replace("sinterstore")))
		},
	} {
		s.clock.ms.Store(testEpochMs)
		s.set(0, "other", "x")
		bigHash(t, s, "h", 3)
		s.expireFields("h", testEpochMs+1_000_000_000, 0, "f0")
		s.update(0, do)
		s.round()
		if s.hidden(0) != 0 {
			t.Errorf("%s: expiries are left", name)
		}
		s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
	}
}

// TestMissingExpiries: a hash whose tag says more than there is is damaged.
func TestMissingExpiries(t *testing.T) {
	s := openTest(t, Options{})
	s.update(0, func(tx *Tx) {
		putRaw(t, tx, tagHash|tagFieldTTL, []byte("\x01a\x01b"))
		if _, err := tx.Hash().Find([]byte("k")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Find: %v", err)
		}
		if _, err := tx.Keyspace().Copy([]byte("k"), []byte("l"), 0, true); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Copy: %v", err)
		}
		tx.failed = nil // that it fails as a whole is not what is tested here
		// What is left behind of a hash that is none goes away by itself.
		if err := tx.eng.Put(fieldSpace(0), []byte("x"), engine.Meta{Tag: tagFieldExpiries, ExpireMs: 1}, nil); err != nil {
			t.Fatal(err)
		}
	})
	s.round()
	if s.hidden(0) != 0 {
		t.Error("an entry without a hash is left")
	}
}

// ttlField is what a field should be.
type ttlField struct {
	value string
	atMs  int64
}

// TestFieldTTLModel does random things to two hashes with expiring fields and
// compares with maps.
func TestFieldTTLModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, Options{})
		model := map[string]map[string]ttlField{"a": {}, "b": {}}
		visible := func(key string) map[string]string {
			m := map[string]string{}
			for name, f := range model[key] {
				if f.atMs != 0 && s.clock.now() > f.atMs {
					delete(model[key], name)
					continue
				}
				m[name] = f.value
			}
			return m
		}
		key := func() string { return rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key") }
		field := func() string { return "f" + strconv.Itoa(rapid.IntRange(0, 9).Draw(rt, "field")) }
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(*rapid.T) {
				k, many := key(), rapid.SampledFrom([]int{1, 1, 1, 200}).Draw(rt, "many")
				var pairs []string
				for i := range many {
					name := field()
					if i > 0 {
						name = "g" + strconv.Itoa(i)
					}
					pairs = append(pairs, name, "1")
				}
				fresh := int64(0)
				now := visible(k)
				for i := 0; i < len(pairs); i += 2 {
					if _, ok := now[pairs[i]]; !ok {
						fresh++
					}
					model[k][pairs[i]] = ttlField{value: "1"}
				}
				if got := s.hset(k, pairs...); got != fresh {
					rt.Fatalf("%d new fields, want %d", got, fresh)
				}
			},
			"incr": func(*rapid.T) {
				k, name := key(), field()
				old := visible(k)[name]
				n, _ := strconv.Atoi(old)
				s.update(0, func(tx *Tx) {
					if got, err := tx.Hash().IncrBy([]byte(k), []byte(name), 1); got != int64(n+1) || err != nil {
						rt.Fatalf("%d, %v; want %d", got, err, n+1)
					}
				})
				model[k][name] = ttlField{strconv.Itoa(n + 1), model[k][name].atMs}
			},
			"expire": func(*rapid.T) {
				k, name := key(), field()
				at := s.clock.now() + rapid.Int64Range(-2, 20).Draw(rt, "in")
				cond := rapid.SampledFrom([]ExpireCond{0, 0, ExpireNX, ExpireXX, ExpireGT, ExpireLT}).Draw(rt, "cond")
				_, exists := visible(k)[name]
				want := FieldChanged
				switch {
				case !exists:
					want = FieldMissing
				case !cond.allows(model[k][name].atMs, at):
					want = FieldUnchanged
				case at <= s.clock.now():
					want = FieldDeleted
					delete(model[k], name)
				default:
					model[k][name] = ttlField{model[k][name].value, at}
				}
				if got := s.expireFields(k, at, cond, name); !slices.Equal(got, []int{want}) {
					rt.Fatalf("expire %s: %v, want %d", name, got, want)
				}
			},
			"persist": func(*rapid.T) {
				k, name := key(), field()
				if _, exists := visible(k)[name]; exists {
					model[k][name] = ttlField{value: model[k][name].value}
				}
				s.persistFields(k, name)
			},
			"del": func(*rapid.T) {
				k, name := key(), field()
				_, exists := visible(k)[name]
				delete(model[k], name)
				s.update(0, func(tx *Tx) {
					if n, err := tx.Hash().Del([]byte(k), bytesOf([]string{name})); (n == 1) != exists || err != nil {
						rt.Fatalf("del %s: %d, %v; exists %v", name, n, err, exists)
					}
				})
			},
			"copy": func(*rapid.T) {
				if len(visible("a")) > 0 {
					s.update(0, func(tx *Tx) { mustDo(t)(tx.Keyspace().Copy([]byte("a"), []byte("b"), 0, true)) })
					model["b"] = maps.Clone(model["a"])
				}
			},
			"rename": func(*rapid.T) {
				if len(visible("b")) > 0 {
					s.update(0, func(tx *Tx) { mustDo(t)(tx.Keyspace().Rename([]byte("b"), []byte("a"), false)) })
					model["a"], model["b"] = model["b"], map[string]ttlField{}
				}
			},
			"time": func(*rapid.T) {
				s.clock.advance(time.Duration(rapid.Int64Range(1, 10).Draw(rt, "ms")) * time.Millisecond)
			},
			"round":  func(*rapid.T) { s.round() },
			"reopen": func(*rapid.T) { s.reopen() },
			"": func(*rapid.T) {
				s.PauseExpiry(rapid.Bool().Draw(rt, "paused"))
				for k := range model {
					if got, want := s.hashNow(k), visible(k); !maps.Equal(got, want) {
						rt.Fatalf("%s is %v, want %v", k, got, want)
					}
				}
				s.PauseExpiry(false)
			},
		})
	})
}
