package tests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis as an application uses it, over both protocols.

func TestGoRedis(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("resp%d", protocol), func(t *testing.T) {
			c := start(t, ours).client(t, protocol)
			t.Run("strings", func(t *testing.T) { goRedisStrings(t, c) })
			t.Run("keyspace", func(t *testing.T) { goRedisKeyspace(t, c) })
			t.Run("expire", func(t *testing.T) { goRedisExpire(t, c) })
			t.Run("pipelines", func(t *testing.T) { goRedisPipelines(t, c) })
			t.Run("watch", func(t *testing.T) { goRedisWatch(t, c) })
			t.Run("server", func(t *testing.T) { goRedisServer(t, c) })
		})
	}
}

// equal compares a result with what is wanted; any error is a failure.
func equal[T comparable](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
	}
}

func goRedisStrings(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	ok, err := c.Set(ctx, "k", "v", 0).Result()
	equal(t, "SET", ok, err, "OK")
	text, err := c.Get(ctx, "k").Result()
	equal(t, "GET", text, err, "v")
	if err := c.Get(ctx, "nope").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET of a missing key: %v", err)
	}
	set, err := c.SetNX(ctx, "k", "w", 0).Result()
	equal(t, "SETNX", set, err, false)
	set, err = c.SetXX(ctx, "k", "w", time.Hour).Result()
	equal(t, "SETXX", set, err, true)
	text, err = c.SetArgs(ctx, "k", "x", redis.SetArgs{Get: true, KeepTTL: true}).Result()
	equal(t, "SET GET KEEPTTL", text, err, "w")
	text, err = c.GetEx(ctx, "k", time.Minute).Result()
	equal(t, "GETEX", text, err, "x")
	text, err = c.SetArgs(ctx, "k", "y", redis.SetArgs{Get: true}).Result()
	equal(t, "SET GET", text, err, "x")
	text, err = c.GetDel(ctx, "k").Result()
	equal(t, "GETDEL", text, err, "y")
	n, err := c.Append(ctx, "a", "hello").Result()
	equal(t, "APPEND", n, err, 5)
	n, err = c.SetRange(ctx, "a", 3, "p!").Result()
	equal(t, "SETRANGE", n, err, 5)
	text, err = c.GetRange(ctx, "a", 1, -1).Result()
	equal(t, "GETRANGE", text, err, "elp!")
	n, err = c.StrLen(ctx, "a").Result()
	equal(t, "STRLEN", n, err, 5)
	n, err = c.IncrBy(ctx, "n", 41).Result()
	equal(t, "INCRBY", n, err, 41)
	n, err = c.Incr(ctx, "n").Result()
	equal(t, "INCR", n, err, 42)
	n, err = c.DecrBy(ctx, "n", 2).Result()
	equal(t, "DECRBY", n, err, 40)
	f, err := c.IncrByFloat(ctx, "n", 0.5).Result()
	equal(t, "INCRBYFLOAT", f, err, 40.5)
	ok, err = c.MSet(ctx, "m1", 1, "m2", "two").Result()
	equal(t, "MSET", ok, err, "OK")
	set, err = c.MSetNX(ctx, "m2", 1, "m3", 3).Result()
	equal(t, "MSETNX", set, err, false)
	values, err := c.MGet(ctx, "m1", "nope", "m2").Result()
	if want := []any{"1", nil, "two"}; err != nil || !slices.Equal(values, want) {
		t.Errorf("MGET: got %v, %v, want %v", values, err, want)
	}
	match, err := c.LCS(ctx, &redis.LCSQuery{Key1: "m2", Key2: "m2", Idx: true, WithMatchLen: true}).Result()
	if err != nil || match.Len != 3 || len(match.Matches) != 1 || match.Matches[0].MatchLen != 3 {
		t.Errorf("LCS IDX: got %+v, %v", match, err)
	}
}

func goRedisKeyspace(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	ok, err := c.FlushDB(ctx).Result()
	equal(t, "FLUSHDB", ok, err, "OK")
	for i := range 1000 {
		if err := c.Set(ctx, fmt.Sprintf("key:%d", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	n, err := c.DBSize(ctx).Result()
	equal(t, "DBSIZE", n, err, 1000)
	seen := map[string]bool{}
	for it := c.Scan(ctx, 0, "key:*", 17).Iterator(); it.Next(ctx); {
		seen[it.Val()] = true
	}
	equal(t, "SCAN", len(seen), nil, 1000)
	names, err := c.Keys(ctx, "key:99?").Result()
	equal(t, "KEYS", len(names), err, 10)
	n, err = c.Exists(ctx, "key:1", "key:2", "nope").Result()
	equal(t, "EXISTS", n, err, 2)
	kind, err := c.Type(ctx, "key:1").Result()
	equal(t, "TYPE", kind, err, "string")
	ok, err = c.Rename(ctx, "key:1", "renamed").Result()
	equal(t, "RENAME", ok, err, "OK")
	n, err = c.Copy(ctx, "renamed", "copy", 3, true).Result()
	equal(t, "COPY", n, err, 1)
	moved, err := c.Move(ctx, "renamed", 4).Result()
	equal(t, "MOVE", moved, err, true)
	n, err = c.Del(ctx, "key:2", "nope").Result()
	equal(t, "DEL", n, err, 1)
	n, err = c.Unlink(ctx, "key:3").Result()
	equal(t, "UNLINK", n, err, 1)
	text, err := c.ObjectEncoding(ctx, "key:4").Result()
	equal(t, "OBJECT ENCODING", text, err, "int")
	if err := c.RandomKey(ctx).Err(); err != nil {
		t.Errorf("RANDOMKEY: %v", err)
	}
}

func goRedisExpire(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	if err := c.Set(ctx, "e", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	ttl, err := c.TTL(ctx, "e").Result()
	if err != nil || ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("TTL: %v, %v", ttl, err)
	}
	done, err := c.ExpireGT(ctx, "e", time.Minute).Result()
	equal(t, "EXPIRE GT", done, err, false)
	done, err = c.ExpireAt(ctx, "e", time.Unix(4102444800, 0)).Result()
	equal(t, "EXPIREAT", done, err, true)
	at, err := c.ExpireTime(ctx, "e").Result()
	equal(t, "EXPIRETIME", at, err, 4102444800*time.Second)
	done, err = c.Persist(ctx, "e").Result()
	equal(t, "PERSIST", done, err, true)
	ttl, err = c.PTTL(ctx, "e").Result()
	equal(t, "PTTL", ttl, err, -1)
	if err := c.PExpire(ctx, "e", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key expires", func() bool {
		return errors.Is(c.Get(ctx, "e").Err(), redis.Nil)
	})
}

func goRedisPipelines(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	var get *redis.StringCmd
	cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "p", "1", 0)
		p.Incr(ctx, "p")
		get = p.Get(ctx, "p")
		return nil
	})
	equal(t, "a pipeline's length", len(cmds), err, 3)
	equal(t, "a pipeline's GET", get.Val(), get.Err(), "2")
	var incr *redis.IntCmd
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		incr = p.IncrBy(ctx, "p", 40)
		get = p.Get(ctx, "p")
		p.Expire(ctx, "p", time.Hour)
		return nil
	})
	equal(t, "a transaction's INCRBY", incr.Val(), err, 42)
	equal(t, "a transaction's GET", get.Val(), get.Err(), "42")
	// An error in the middle does not stop the others.
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "text", "abc", 0)
		p.Incr(ctx, "text")
		get = p.Get(ctx, "text")
		return nil
	})
	if err == nil || err.Error() != "ERR value is not an integer or out of range" {
		t.Errorf("a transaction with an error: %v", err)
	}
	equal(t, "the GET after it", get.Val(), get.Err(), "abc")
}

// goRedisWatch is the counter of go-redis's documentation: many goroutines
// increment it by reading, adding and writing under WATCH.
func goRedisWatch(t *testing.T, c *redis.Client) {
	t.Helper()
	const routines, each = 8, 25
	increment := func(ctx context.Context) error {
		return c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "watched").Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "watched", strconv.Itoa(n+1), 0)
				return nil
			})
			return err
		}, "watched")
	}
	var wg sync.WaitGroup
	for range routines {
		wg.Go(func() {
			for range each {
				err := increment(t.Context())
				for errors.Is(err, redis.TxFailedErr) {
					err = increment(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	n, err := c.Get(t.Context(), "watched").Int()
	equal(t, "the counter", n, err, routines*each)
}

func goRedisServer(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	pong, err := c.Ping(ctx).Result()
	equal(t, "PING", pong, err, "PONG")
	text, err := c.Echo(ctx, "x").Result()
	equal(t, "ECHO", text, err, "x")
	config, err := c.ConfigGet(ctx, "databases").Result()
	equal(t, "CONFIG GET", config["databases"], err, "16")
	if _, err := c.ClientID(ctx).Result(); err != nil {
		t.Errorf("CLIENT ID: %v", err)
	}
	if info, err := c.ClientInfo(ctx).Result(); err != nil || info.DB != 0 {
		t.Errorf("CLIENT INFO: %+v, %v", info, err)
	}
	if err := c.Info(ctx, "server").Err(); err != nil {
		t.Errorf("INFO: %v", err)
	}
	if when, err := c.Time(ctx).Result(); err != nil || time.Since(when).Abs() > time.Minute {
		t.Errorf("TIME: %v, %v", when, err)
	}
	commands, err := c.Command(ctx).Result()
	if err != nil || commands["get"] == nil || commands["get"].Arity != 2 || !commands["get"].ReadOnly {
		t.Errorf("COMMAND: get is %+v, %v", commands["get"], err)
	}
	names, err := c.CommandList(ctx, nil).Result()
	if err != nil || !slices.Contains(names, "get") || !slices.Contains(names, "client|list") {
		t.Errorf("COMMAND LIST: %v, %v", names, err)
	}
	keys, err := c.CommandGetKeys(ctx, "MSET", "a", "1", "b", "2").Result()
	if err != nil || !slices.Equal(keys, []string{"a", "b"}) {
		t.Errorf("COMMAND GETKEYS: %v, %v", keys, err)
	}
	if _, err := c.SlowLogGet(ctx, 10).Result(); err != nil {
		t.Errorf("SLOWLOG GET: %v", err)
	}
	if n, err := c.MemoryUsage(ctx, "watched").Result(); err != nil || n <= 0 {
		t.Errorf("MEMORY USAGE: %v, %v", n, err)
	}
}
