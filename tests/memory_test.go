package tests

import (
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// memoryInfo returns the numbers of INFO memory.
func memoryInfo(t *testing.T, c *redis.Client) map[string]int64 {
	t.Helper()
	text, err := c.Info(context.Background(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	numbers := make(map[string]int64)
	for line := range strings.SplitSeq(text, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			numbers[name] = n
		}
	}
	return numbers
}

// TestMemoryIsTrue compares used_memory with what the process has, when it is full
// and when it is empty again. Nobody asks for a collection of garbage: the server
// keeps it near by itself.
func TestMemoryIsTrue(t *testing.T) {
	s := start(t, ours)
	c := s.client(t, 3)
	ctx := context.Background()
	for i := 0; i < 300_000; i += 1000 {
		pipe := c.Pipeline()
		for j := i; j < i+1000; j++ {
			pipe.Set(ctx, fmt.Sprintf("key:%d", j), "a value of more than eight bytes", 0)
			pipe.HSet(ctx, "hash", fmt.Sprintf("field:%d", j), "another one of these values")
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	full := awaitMemory(t, c, math.MaxInt64)
	if full["used_memory_dataset"] < 25<<20 {
		t.Fatalf("the data takes %d bytes: too little to say anything", full["used_memory_dataset"])
	}
	if err := c.Unlink(ctx, "hash").Err(); err != nil {
		t.Fatal(err)
	}
	awaitMemory(t, c, full["used_memory_dataset"]*8/10)
	if err := c.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	awaitMemory(t, c, 1<<20)
}

// awaitMemory waits until the data takes at most so many bytes (removed values go in
// the background), and heap and RSS are what used_memory says, and what garbage is
// allowed beside.
func awaitMemory(t *testing.T, c *redis.Client, data int64) (m map[string]int64) {
	t.Helper()
	// 32 MB of garbage are always allowed, and 48 MB that are not given back yet.
	const floor, surplus = 32 << 20, 48 << 20
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m = memoryInfo(t, c)
		used := m["used_memory"]
		heapOK := m["allocator_allocated"] < used*115/100+floor && m["allocator_allocated"] > used*9/10-(2<<20)
		rssOK := os.Getenv("BITKV_TEST_RACE") != "" || // which has memory of its own
			m["used_memory_rss"] < used*120/100+surplus+(8<<20)
		if m["used_memory_dataset"] <= data && heapOK && rssOK {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatalf("used_memory %d, of it data %d (at most %d), heap %d, anonymous RSS %d",
				used, m["used_memory_dataset"], data, m["allocator_allocated"], m["used_memory_rss"])
		}
	}
}

// TestRedisCLILRU runs the simulation of a cache of redis-cli, which goes on for
// ever, and --hotkeys, against a full server.
func TestRedisCLILRU(t *testing.T) {
	s := start(t, ours, "--maxmemory-policy", "allkeys-lfu", "--maxmemory", "4mb")
	c := s.client(t, 3)
	lines := follow(t, s, "--lru-test", "100000")
	line := lines()
	for !strings.Contains(line, "Hits:") {
		line = lines()
	}
	if !regexp.MustCompile(`\d+ Gets/sec \| Hits: \d+ .* \| Misses: \d+ `).MatchString(line) {
		t.Errorf("--lru-test: %q", line)
	}
	eventually(t, "keys are evicted", func() bool {
		stats, err := c.Info(context.Background(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(stats, "\r\nevicted_keys:0\r\n")
	})
	// Keys go while it asks for them, which it warns of.
	out, _, _ := run(t, "", tool(t, "redis-cli"), "-p", strconv.Itoa(s.port), "--hotkeys")
	if !strings.Contains(out, "hot key found with counter") {
		t.Errorf("--hotkeys: %s", out)
	}
}
