package resp

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// used asks for fields of INFO memory.
func (c *testConn) used(names ...string) (values []int64) {
	c.tb.Helper()
	fields, _ := c.info("memory")
	for _, name := range names {
		n, err := strconv.ParseInt(fields[name], 10, 64)
		if err != nil {
			c.tb.Fatalf("%s is %q", name, fields[name])
		}
		values = append(values, n)
	}
	return values
}

// used_memory follows what is there, at once: it does not wait for the garbage
// collector.
func TestUsedMemoryFollows(t *testing.T) {
	c := startServer(t, nil).dial(t)
	dataset := func() int64 { return c.used("used_memory_dataset")[0] }
	empty := dataset()
	for i := range 50 {
		var line strings.Builder
		line.WriteString("MSET")
		for j := range 100 {
			fmt.Fprintf(&line, " key:%d:%d a-value-that-is-on-disk", i, j)
		}
		c.want(line.String(), "+OK\r\n")
	}
	strs := dataset()
	if n := strs - empty; n < 5000*40 || n > 5000*200 {
		t.Errorf("5000 keys take %d bytes", n)
	}
	var line strings.Builder
	line.WriteString("SADD set")
	for j := range 5000 {
		fmt.Fprintf(&line, " member:%d", j)
	}
	c.want(line.String(), ":5000\r\n")
	if n := dataset() - strs; n < 5000*30 || n > 5000*200 {
		t.Errorf("a set of 5000 takes %d bytes", n)
	}
	c.want("UNLINK set", ":1\r\n")
	if n := dataset(); n < strs || n > strs+2000 {
		t.Errorf("%d bytes after UNLINK, %d before the set was there", n, strs)
	}
	c.want("FLUSHALL", "+OK\r\n")
	if n := dataset(); n != empty {
		t.Errorf("%d bytes after FLUSHALL, %d at the start", n, empty)
	}
}

// The parts are the whole, and INFO and MEMORY STATS say the same.
func TestMemoryIsCoherent(t *testing.T) {
	c := startServer(t, nil).dial(t)
	for i := range 200 {
		c.do(fmt.Sprintf("SET key:%d value-value-value EX 1000", i))
	}
	v := c.used("used_memory", "used_memory_overhead", "used_memory_dataset", "used_memory_keys",
		"used_memory_collections", "used_memory_expiry", "used_memory_cache", "used_memory_peak")
	if v[0] != v[1]+v[2] {
		t.Errorf("used %d is not overhead %d and dataset %d", v[0], v[1], v[2])
	}
	if v[2] != v[3]+v[4]+v[5]+v[6] {
		t.Errorf("dataset %d is not the sum of its parts %v", v[2], v[3:7])
	}
	if v[7] < v[0] {
		t.Errorf("peak %d below %d", v[7], v[0])
	}
	stats := c.do("MEMORY STATS")
	for name, want := range map[string]int64{"dataset.bytes": v[2], "dataset.keys": v[3], "keys.count": 200} {
		if line := fmt.Sprintf("\r\n%s\r\n:%d\r\n", name, want); !strings.Contains(stats, line) {
			t.Errorf("MEMORY STATS does not say %s %d: %q", name, want, stats)
		}
	}
}
