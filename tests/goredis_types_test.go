package tests

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The client matrix's steps (matrix_test.go) on collections with go-redis; those
// on strings, pipelines and WATCH are in goredis_test.go.

func TestGoRedisTypes(t *testing.T) {
	for _, k := range []kind{oracle, ours} {
		for _, protocol := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s/resp%d", k.name, protocol), func(t *testing.T) {
				s := start(t, k)
				c := s.client(t, protocol)
				t.Run("hashes", func(t *testing.T) { goRedisHashes(t, c) })
				t.Run("lists", func(t *testing.T) { goRedisLists(t, c) })
				t.Run("blocking", func(t *testing.T) { goRedisBlocking(t, c, s.client(t, protocol)) })
				t.Run("sets", func(t *testing.T) { goRedisSets(t, c) })
				t.Run("sorted sets", func(t *testing.T) { goRedisSortedSets(t, c) })
				t.Run("scans", func(t *testing.T) { goRedisScans(t, c) })
				t.Run("dumps", func(t *testing.T) { goRedisDumps(t, c) })
				t.Run("errors", func(t *testing.T) { goRedisErrors(t, c) })
			})
		}
	}
}

// equalAll is equal for slices.
func equalAll[T comparable](t *testing.T, what string, got []T, err error, want ...T) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
	}
}

func goRedisHashes(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	n, err := c.HSet(ctx, "h", "a", 1, "b", "two", "c", "\x00\r\n").Result()
	equal(t, "HSET", n, err, 3)
	all, err := c.HGetAll(ctx, "h").Result()
	if want := map[string]string{"a": "1", "b": "two", "c": "\x00\r\n"}; err != nil || !maps.Equal(all, want) {
		t.Errorf("HGETALL: got %q, %v, want %q", all, err, want)
	}
	values, err := c.HMGet(ctx, "h", "a", "none").Result()
	equalAll(t, "HMGET", values, err, "1", nil)
	n, err = c.HIncrBy(ctx, "h", "a", 4).Result()
	equal(t, "HINCRBY", n, err, 5)
	n, err = c.HDel(ctx, "h", "b", "none").Result()
	equal(t, "HDEL", n, err, 1)
	pairs, err := c.HRandFieldWithValues(ctx, "h", 5).Result()
	equal(t, "HRANDFIELD WITHVALUES", len(pairs), err, 2)
}

func goRedisLists(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	n, err := c.RPush(ctx, "l", "a", "b", "c").Result()
	equal(t, "RPUSH", n, err, 3)
	n, err = c.LInsertBefore(ctx, "l", "b", "ab").Result()
	equal(t, "LINSERT", n, err, 4)
	list, err := c.LRange(ctx, "l", 0, -1).Result()
	equalAll(t, "LRANGE", list, err, "a", "ab", "b", "c")
	n, err = c.LRem(ctx, "l", 1, "ab").Result()
	equal(t, "LREM", n, err, 1)
	at, err := c.LPos(ctx, "l", "c", redis.LPosArgs{}).Result()
	equal(t, "LPOS", at, err, 2)
	text, err := c.LMove(ctx, "l", "l2", "RIGHT", "LEFT").Result()
	equal(t, "LMOVE", text, err, "c")
	key, list, err := c.LMPop(ctx, "left", 5, "none", "l").Result()
	equalAll(t, "LMPOP", append(list, key), err, "a", "b", "l")
}

// goRedisBlocking parks one client and serves it with another.
func goRedisBlocking(t *testing.T, c, waiter *redis.Client) {
	t.Helper()
	ctx := t.Context()
	popped := make(chan *redis.StringSliceCmd, 1)
	go func() { popped <- waiter.BLPop(ctx, 10*time.Minute, "q1", "q2") }()
	eventually(t, "a client waits", func() bool {
		return strings.Contains(c.Info(ctx, "clients").Val(), "\r\nblocked_clients:1\r\n")
	})
	n, err := c.RPush(ctx, "q2", "served").Result()
	equal(t, "RPUSH to who waits", n, err, 1)
	pair, err := (<-popped).Result()
	equalAll(t, "BLPOP", pair, err, "q2", "served")
	n, err = c.Exists(ctx, "q2").Result()
	equal(t, "the element went to who waited", n, err, 0)
}

func goRedisSets(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	n, err := c.SAdd(ctx, "set1", "a", "b", "c", "a").Result()
	equal(t, "SADD", n, err, 3)
	n, err = c.SAdd(ctx, "set2", "b", "c", "d").Result()
	equal(t, "SADD of another", n, err, 3)
	members, err := c.SInter(ctx, "set1", "set2").Result()
	slices.Sort(members)
	equalAll(t, "SINTER", members, err, "b", "c")
	set, err := c.SMembersMap(ctx, "set1").Result()
	equal(t, "SMEMBERS", len(set), err, 3)
	n, err = c.SUnionStore(ctx, "set3", "set1", "set2").Result()
	equal(t, "SUNIONSTORE", n, err, 4)
	in, err := c.SMIsMember(ctx, "set1", "a", "none").Result()
	equalAll(t, "SMISMEMBER", in, err, true, false)
	n, err = c.SInterCard(ctx, 1, "set1", "set2").Result()
	equal(t, "SINTERCARD LIMIT", n, err, 1)
}

func goRedisSortedSets(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	n, err := c.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2, Member: "two"},
		redis.Z{Score: math.Inf(1), Member: "inf"}).Result()
	equal(t, "ZADD", n, err, 3)
	score, err := c.ZScore(ctx, "z", "inf").Result()
	equal(t, "ZSCORE", score, err, math.Inf(1))
	pairs, err := c.ZRangeWithScores(ctx, "z", 0, 1).Result()
	equalAll(t, "ZRANGE WITHSCORES", pairs, err, redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2, Member: "two"})
	members, err := c.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "z", Start: "(1", Stop: "+inf", ByScore: true, Offset: 1, Count: 1}).Result()
	equalAll(t, "ZRANGE BYSCORE LIMIT", members, err, "inf")
	rank, err := c.ZRevRank(ctx, "z", "one").Result()
	equal(t, "ZREVRANK", rank, err, 2)
	score, err = c.ZIncrBy(ctx, "z", 0.5, "one").Result()
	equal(t, "ZINCRBY", score, err, 1.5)
	pairs, err = c.ZPopMin(ctx, "z", 2).Result()
	equalAll(t, "ZPOPMIN", pairs, err, redis.Z{Score: 1.5, Member: "one"}, redis.Z{Score: 2, Member: "two"})
	n, err = c.GeoAdd(ctx, "g", &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
		&redis.GeoLocation{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669}).Result()
	equal(t, "GEOADD", n, err, 2)
	distance, err := c.GeoDist(ctx, "g", "Palermo", "Catania", "km").Result()
	equal(t, "GEODIST", distance, err, 166.2742)
}

func goRedisScans(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	const size = 1000
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range size {
			p.HSet(ctx, "big:h", i, i)
			p.SAdd(ctx, "big:s", i)
			p.ZAdd(ctx, "big:z", redis.Z{Score: float64(i), Member: i})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func(it *redis.ScanIterator) (n int) {
		for seen := map[string]bool{}; it.Next(ctx); n = len(seen) {
			seen[it.Val()] = true
		}
		return n
	}
	for what, row := range map[string]struct {
		scan *redis.ScanCmd
		want int
	}{
		"SCAN":      {c.Scan(ctx, 0, "big:*", 37), 3},
		"SCAN TYPE": {c.ScanType(ctx, 0, "big:*", 37, "zset"), 1},
		"HSCAN":     {c.HScan(ctx, "big:h", 0, "*", 37), size}, // its values are its fields
		"SSCAN":     {c.SScan(ctx, "big:s", 0, "*9", 37), size / 10},
		"ZSCAN":     {c.ZScan(ctx, "big:z", 0, "*", 37), size}, // so are the scores
	} {
		equal(t, what, count(row.scan.Iterator()), row.scan.Err(), row.want)
	}
}

func goRedisDumps(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	binary := "\x00\xff\r\n$-1\r\n"
	if err := c.Set(ctx, binary, binary, 0).Err(); err != nil {
		t.Fatal(err)
	}
	var payload string
	for _, key := range []string{"h", "l2", "set3", "z", "big:h", "big:s", "big:z", binary} {
		var err error
		if payload, err = c.Dump(ctx, key).Result(); err != nil {
			t.Fatal(err)
		}
		ok, err := c.RestoreReplace(ctx, "copy", time.Minute, payload).Result()
		equal(t, "RESTORE", ok, err, "OK")
		kind, err := c.Type(ctx, key).Result()
		equal(t, "TYPE of a copy", c.Type(ctx, "copy").Val(), err, kind)
	}
	text, err := c.Get(ctx, "copy").Result()
	equal(t, "a restored string", text, err, binary)
	wantErr(t, c.Restore(ctx, "cut", 0, payload[:len(payload)-1]), "ERR DUMP payload version or checksum are wrong")
	wantErr(t, c.Restore(ctx, "h", 0, payload), "BUSYKEY Target key name already exists.")
}

func goRedisErrors(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	wrong := "WRONGTYPE Operation against a key holding the wrong kind of value"
	wantErr(t, c.LPush(ctx, "h", "x"), wrong)
	wantErr(t, c.Get(ctx, "set1"), wrong)
	wantErr(t, c.Do(ctx, "GET"), "ERR wrong number of arguments for 'get' command")
	wantErr(t, c.Do(ctx, "BOGUS", "x"), "ERR unknown command 'BOGUS', with args beginning with: 'x' ")
	wantErr(t, c.Do(ctx, "ZADD", "z", "x", "m"), "ERR value is not a valid float")
	wantErr(t, c.LSet(ctx, "l2", 9, "x"), "ERR index out of range")
	wantErr(t, c.Rename(ctx, "none", "other"), "ERR no such key")
	if err := c.LPop(ctx, "none").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("LPOP of a missing key: %v", err)
	}
}

// wantErr fails the test unless a command was answered with this error.
func wantErr(t *testing.T, cmd redis.Cmder, want string) {
	t.Helper()
	if err := cmd.Err(); err == nil || err.Error() != want {
		t.Errorf("%v: got the error %v, want %q", cmd.Args(), err, want)
	}
}
