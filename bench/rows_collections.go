package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What the loads on collections must reach, by the project's issues 3 and 4. The
// first ones are those that issue 4 asks for more of.
var (
	typeBars = bar{Of: ofRatio, Least: true, Limit: 0.8, Floor: 0.6, Source: "issue 3"}
	plain    = loadBars{throughput: []bar{typeBars}}
	single   = loadBars{throughput: append(issue4(atLeast(1.0)), typeBars), cpu: issue4(atMost(1.0))}
	many     = loadBars{throughput: append(issue4(atLeast(1.1)), typeBars), cpu: issue4(atMost(1.0))}
	lrange   = loadBars{throughput: append(issue4(atLeast(1.0)), typeBars)}
)

// collectionsSection is the commands of lists, sets, hashes and sorted sets.
func collectionsSection() *section {
	return loadSection("collections", 15*time.Minute, table{
		Title: "Collections",
		Intro: "Elements of 64 bytes in lists and hashes. Pushes, SADD, HSET and ZADD start from a key that does not exist and draw from a\n" +
			"million fields or members; pops start from a key with a tenth more elements than are popped. LRANGE reads a list of 100,000\n" +
			"elements, HGETALL ten thousand hashes of 50 fields, ZRANK and ZRANGE a sorted set of a million members, SINTER two sets of\n" +
			"100,000 members that have 1,000 in common (4 clients).",
	}, collectionLoads)
}

func collectionLoads(o options) []load {
	var out []load
	for _, pipeline := range []int{1, 16} {
		bars := pick(pipeline == 1, single, many)
		rows := []load{
			{name: "LPUSH", test: "lpush", size: 64, before: without("mylist"), bars: bars, short: true},
			{name: "RPUSH", test: "rpush", size: 64, before: without("mylist"), bars: plain},
			{name: "LPOP", test: "lpop", before: filled(list), bars: plain},
			{name: "RPOP", test: "rpop", before: filled(list), bars: bars, short: true},
			{name: "SADD", test: "sadd", before: without("myset"), bars: bars, short: true},
			{name: "SPOP", test: "spop", before: filled(set), bars: plain, short: pipeline == 16},
			{name: "HSET", test: "hset", size: 64, before: without("myhash"), bars: bars, short: true},
			{name: "ZADD", test: "zadd", before: without("myzset"), bars: bars, short: true},
			{name: "ZPOPMIN", test: "zpopmin", before: filled(zset), bars: plain, short: pipeline == 16},
		}
		for _, n := range []int{100, 300, 500, 600} {
			rows = append(rows, load{
				name: fmt.Sprintf("LRANGE_%d", n), command: []string{"LRANGE", "biglist", "0", fmt.Sprint(n - 1)},
				ready: bigList, bars: pick(n == 100, lrange, plain), short: n == 100 && pipeline == 16,
			})
		}
		rows = append(
			rows,
			load{name: "HGETALL of 50 fields", command: []string{"HGETALL", "hash:__rand_int__"}, space: smallHashes, ready: hashes, bars: plain, short: pipeline == 16},
			load{name: "ZRANK in 1M", command: []string{"ZRANK", "bigzset", "element:__rand_int__"}, space: 1_000_000, ready: bigZSet, bars: plain, short: pipeline == 16},
			load{name: "ZRANGE by index in 1M", command: []string{"ZRANGE", "bigzset", "500000", "500009"}, ready: bigZSet, bars: plain},
			load{
				name: "ZRANGE by score in 1M", command: []string{"ZRANGE", "bigzset", "__rand_int__", "+inf", "BYSCORE", "LIMIT", "0", "10"},
				space: 900_000, ready: bigZSet, bars: plain,
			},
			load{name: "SINTER of 100k and 100k", command: []string{"SINTER", "bigset:0", "bigset:1"}, clients: 4, ready: bigSets, bars: plain},
		)
		for _, l := range rows {
			l.pipeline = pipeline
			if l.space == 0 {
				l.space = 1_000_000
			}
			out = append(out, l)
		}
	}
	return out
}

// without removes the key before every run.
func without(key string) before {
	return func(_ context.Context, s *server, _ int) error {
		_, err := s.do("UNLINK", key)
		return err
	}
}

// collection is a type of collection, and how to fill one.
type collection struct {
	name    string
	key     string
	add     []string // the command that adds, without elements
	element func(i int) []string
	count   string // the command that counts
}

var (
	list = collection{"list", "mylist", []string{"RPUSH"}, func(int) []string { return []string{value64} }, "LLEN"}
	set  = collection{"set", "myset", []string{"SADD"}, func(i int) []string { return []string{element(i)} }, "SCARD"}
	zset = collection{"sorted set", "myzset", []string{"ZADD"}, func(i int) []string { return []string{fmt.Sprint(scramble(i)), element(i)} }, "ZCARD"}
	hash = collection{"hash", "myhash", []string{"HSET"}, func(i int) []string { return []string{element(i), value64} }, "HLEN"}
)

var value64 = strings.Repeat("x", 64)

// element is the i'th member or field, as redis-benchmark calls them.
func element(i int) string { return fmt.Sprintf("element:%012d", i) }

// scramble turns 0, 1, 2... into numbers below a million without an order.
func scramble(i int) int { return int(uint32(i) * 2654435761 >> 8 % 1_000_000) }

// fill makes the key anew with n elements.
func (c collection) fill(ctx context.Context, s *server, n int) error {
	const each = 100 // elements a command
	if _, err := s.do("UNLINK", c.key); err != nil {
		return err
	}
	err := s.fill(ctx, (n+each-1)/each, func(buf []byte, batch int) []byte {
		args := append(slices.Clip(c.add), c.key)
		for i := batch * each; i < min(n, (batch+1)*each); i++ {
			args = append(args, c.element(i)...)
		}
		return appendCommand(buf, args...)
	})
	if err != nil {
		return err
	}
	if got, err := s.do(c.count, c.key); err != nil || got != fmt.Sprint(n) {
		return fmt.Errorf("%s: %s %s = %s, want %d: %w", s.kind, c.count, c.key, got, n, err)
	}
	return nil
}

// filled fills the key with a tenth more than will be popped.
func filled(c collection) before {
	return func(ctx context.Context, s *server, requests int) error {
		return c.fill(ctx, s, requests+requests/10)
	}
}

// named is the same collection under another key.
func (c collection) named(key string) collection {
	c.key = key
	return c
}

var bigList = &fixture{"a list of 100k", func(ctx context.Context, _ options, s *server) error {
	return list.named("biglist").fill(ctx, s, 100_000)
}}

var bigZSet = &fixture{"a sorted set of 1M", func(ctx context.Context, _ options, s *server) error {
	return zset.named("bigzset").fill(ctx, s, 1_000_000)
}}

// bigSets have 1,000 members in common.
var bigSets = &fixture{"two sets of 100k", func(ctx context.Context, _ options, s *server) error {
	const n, common = 100_000, 1_000
	for j, key := range []string{"bigset:0", "bigset:1"} {
		c := set.named(key)
		c.element = func(i int) []string { return []string{element(i + j*(n-common))} }
		if err := c.fill(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}}

const smallHashes = 10_000

var hashes = &fixture{"hashes of 50 fields", func(ctx context.Context, _ options, s *server) error {
	return s.fill(ctx, smallHashes, func(buf []byte, i int) []byte {
		args := []string{"HSET", fmt.Sprintf("hash:%012d", i)}
		for f := range 50 {
			args = append(args, fmt.Sprintf("field:%02d", f), value64)
		}
		return appendCommand(buf, args...)
	})
}}
