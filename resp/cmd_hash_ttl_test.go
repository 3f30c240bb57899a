package resp

import (
	"fmt"
	"testing"
	"time"
)

// TestFieldExpiryReplies are those that the documentation of Redis 7.4 gives. The clock
// stands still.
func TestFieldExpiryReplies(t *testing.T) {
	s := startServer(t, nil)
	nowMs := time.Now().UnixMilli()
	s.store.SetClock(func() int64 { return nowMs })
	const (
		missing  = "-" + errFieldsMissing + "|"
		badCount = "-" + errFieldsCount + "|"
		positive = "-" + errFieldsPositive + "|"
		integer  = "-" + errFieldsInteger + "|"
	)
	exchanges(s.dial(t), []exchange{
		{"hset h a 1 b 2 c 3", ":3|"},
		{"set s x", "+OK|"},
		{"httl h fields 2 a nofield", "*2|:-1|:-2|"},
		{"hexpire h 100 fields 3 a b nofield", "*3|:1|:1|:-2|"},
		{"httl h FIELDS 3 a b c", "*3|:100|:100|:-1|"},
		{"object encoding h", "$10|listpackex|"},
		{"hexpire h 100 nx fields 2 a c", "*2|:0|:1|"},
		{"hexpire h 50 gt fields 1 a", "*1|:0|"},
		{"hexpire h 200 GT fields 1 a", "*1|:1|"},
		{"hexpire h 300 lt fields 1 a", "*1|:0|"},
		{"hexpire h 150 lt fields 1 a", "*1|:1|"},
		{"hexpire h 150 xx fields 1 a", "*1|:1|"},
		{"hpersist h fields 3 a a nofield", "*3|:1|:-1|:-2|"},
		{"hexpire h 100 xx fields 1 a", "*1|:0|"},
		{"hexpireat h 70000000000 fields 1 a", "*1|:1|"},
		{"hexpiretime h fields 1 a", "*1|:70000000000|"},
		{"hpexpiretime h fields 2 a nofield", "*2|:70000000000000|:-2|"},
		{"hpexpireat h 70000000000001 fields 1 a", "*1|:1|"},
		{"hexpiretime h fields 1 a", "*1|:70000000001|"},
		{"hincrby h a 1", ":2|"},
		{"hpexpiretime h fields 1 a", "*1|:70000000000001|"},
		{"hset h a 5", ":0|"},
		{"hpexpiretime h fields 1 a", "*1|:-1|"},
		{"hexpire h 0 fields 2 a nofield", "*2|:2|:-2|"},
		{"hget h a", "$-1|"},
		{"hpexpireat h 1 fields 2 b c", "*2|:2|:2|"},
		{"exists h", ":0|"},
		{"hexpire nokey 10 fields 2 a b", "*2|:-2|:-2|"},
		{"httl nokey fields 1 a", "*1|:-2|"},
		{"hpttl nokey fields 1 a", "*1|:-2|"},
		{"hpersist nokey fields 1 a", "*1|:-2|"},
		{"hset h a 1", ":1|"},
		{"hexpire h 10 FIELD 1 a", missing},
		{"hexpire h 10 nx fields 1", badCount},
		{"hexpire h 10 nx xx fields 1 a", missing},
		{"hexpire h 10 fields 2 a", badCount},
		{"hexpire h 10 fields 1 a b", badCount},
		{"hexpire h 10 fields 0 a", positive},
		{"hexpire h 10 fields x a", positive},
		{"hexpire h -1 fields 1 a", "-" + errFieldExpireNegative + "|"},
		{"hexpire h x fields 1 a", notInt},
		{"hexpire h 70368744178 fields 1 a", "-ERR invalid expire time in 'hexpire' command|"},
		{"hexpireat h 9223372036854775807 fields 1 a", "-ERR invalid expire time in 'hexpireat' command|"},
		{"hpexpire h 70368744177663 fields 1 a", "-ERR invalid expire time in 'hpexpire' command|"},
		{"hpexpireat h 70368744177664 fields 1 a", "-ERR invalid expire time in 'hpexpireat' command|"},
		{"hpexpireat h 70368744177663 fields 1 a", "*1|:1|"},
		{"httl h fields 0 a", integer},
		{"httl h field 1 a", missing},
		{"hpersist h fields x a", integer},
		{"hpersist h fields 3 a", badCount},
		{"hexpiretime h fields 1", "-ERR wrong number of arguments for 'hexpiretime' command|"},
		{"hexpire s x fields 1 a", wrongType},
		{"hexpire s 10 fields 0 a", wrongType},
		{"hexpire s 10 fields 1 a", wrongType},
		{"httl s fields 0 a", wrongType},
		{"hpersist s fields 1 a", wrongType},
	})
}

// TestFieldsExpire in both forms of a hash, while nobody looks and when somebody does.
func TestFieldsExpire(t *testing.T) {
	c := startServer(t, nil).dial(t)
	pairs := "hset large"
	for i := range 200 {
		pairs += fmt.Sprintf(" f%d v", i)
	}
	c.want(pairs, ":200\r\n")
	c.want("hset small a 1 b 2", ":2\r\n")
	c.want("hset gone a 1", ":1\r\n")
	c.want("hpexpire large 20 fields 2 f0 f1", "*2\r\n:1\r\n:1\r\n")
	c.want("hpexpire small 20 fields 1 a", "*1\r\n:1\r\n")
	c.want("hpexpire gone 20 fields 1 a", "*1\r\n:1\r\n")
	c.until("hlen large", ":198\r\n")
	c.until("hgetall small", "*2\r\n$1\r\nb\r\n$1\r\n2\r\n")
	c.until("exists gone", ":0\r\n")
	c.want("hmget large f0 f1 f2", "*3\r\n$-1\r\n$-1\r\n$1\r\nv\r\n")
	c.until("dbsize", ":2\r\n")
}

// until repeats a command until its reply is the one wanted.
func (c *testConn) until(line, reply string) {
	c.tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got := c.do(line)
		if got == reply {
			return
		}
		if time.Now().After(deadline) {
			c.tb.Fatalf("%s\n got %q\nwant %q", line, got, reply)
		}
	}
}
