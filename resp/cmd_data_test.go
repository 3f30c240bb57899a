package resp

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitkv/internal/testenv"
	"bitkv/types"
)

// exchange is a command and its reply, with "|" for the end of a line.
type exchange struct{ send, reply string }

// runExchanges sends the commands over one connection to a new server. The replies are
// those of redis-server 7.0.15.
func runExchanges(t *testing.T, list []exchange) {
	t.Helper()
	exchanges(startServer(t, nil).dial(t), list)
}

// exchanges sends the commands and compares their replies.
func exchanges(c *testConn, list []exchange) {
	c.tb.Helper()
	for _, e := range list {
		if got := strings.ReplaceAll(c.do(e.send), "\r\n", "|"); got != e.reply {
			c.tb.Errorf("%s\n got %q\nwant %q", e.send, got, e.reply)
		}
	}
}

const (
	wrongType = "-" + errWrongType + "|"
	syntax    = "-" + errSyntax + "|"
	notInt    = "-" + errNotInt + "|"
)

func TestSetReplies(t *testing.T) {
	runExchanges(t, []exchange{
		{"set a b", "+OK|"},
		{"set a c nx", "$-1|"},
		{"set a c nx get", "$1|b|"},
		{"set a c get", "$1|b|"},
		{"set nokey c get", "$-1|"},
		{"set nokey2 c xx get", "$-1|"},
		{"exists nokey2", ":0|"},
		{"set a b ex 0", "-ERR invalid expire time in 'set' command|"},
		{"set a b ex x", notInt},
		{"set a b ex x foo", syntax},
		{"set a b nx ex 0", "-ERR invalid expire time in 'set' command|"},
		{"set a b ex 9223372036854775807", "-ERR invalid expire time in 'set' command|"},
		{"set a b px 9223372036854775807", "-ERR invalid expire time in 'set' command|"},
		{"set a b exat 9223372036854776", "-ERR invalid expire time in 'set' command|"},
		{"set a b exat 9223372036854775", "+OK|"},
		{"set a c keepttl", "+OK|"},
		{"expiretime a", ":9223372036854775|"},
		{"set a c", "+OK|"},
		{"ttl a", ":-1|"},
		{"setex a 0 v", "-ERR invalid expire time in 'setex' command|"},
		{"setex a x v", notInt},
		{"psetex a -1 v", "-ERR invalid expire time in 'psetex' command|"},
		{"setnx a v", ":0|"},
		{"setnx a2 v", ":1|"},
		{"mset a b c", "-ERR wrong number of arguments for 'mset' command|"},
		{"msetnx a b c", "-ERR wrong number of arguments for 'msetnx' command|"},
		{"msetnx x 1 a 2", ":0|"},
		{"mget x a a2 a", "*4|$-1|$1|c|$1|v|$1|c|"},
		{"msetnx x 1 y 2", ":1|"},
		{"getset x 3", "$1|1|"},
		{"getset fresh 3", "$-1|"},
		{"getdel x", "$1|3|"},
		{"getdel x", "$-1|"},
		{"getex nokey3 ex 0", "$-1|"},
		{"getex y ex 0", "-ERR invalid expire time in 'getex' command|"},
		{"getex y persist ex 1", syntax},
		{"getex y ex 100", "$1|2|"},
		{"getex y persist", "$1|2|"},
		{"ttl y", ":-1|"},
		{"getex y exat 1", "$1|2|"},
		{"exists y", ":0|"},
	})
}

func TestStringReplies(t *testing.T) {
	runExchanges(t, []exchange{
		{"append s hello", ":5|"},
		{"getrange s 1 -2", "$3|ell|"},
		{"substr s 0 0", "$1|h|"},
		{"getrange s x y", notInt},
		{"getrange s 3 1", "$0||"},
		{"setrange s 6 x", ":7|"},
		{"get s", "$7|hello\x00x|"},
		{"setrange s -1 x", "-ERR offset is out of range|"},
		{"setrange s x x", notInt},
		{"setrange s 536870911 ab", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|"},
		{"strlen s", ":7|"},
		{"incr s", notInt},
		{"incr n", ":1|"},
		{"incrby n +1", notInt},
		{"incrby n 9223372036854775807", "-ERR increment or decrement would overflow|"},
		{"decrby n -9223372036854775808", "-ERR decrement would overflow|"},
		{"decrby n 9223372036854775807", ":-9223372036854775806|"},
		{"decr n", ":-9223372036854775807|"},
		{"incrbyfloat s 1", "-ERR value is not a valid float|"},
		{"incrbyfloat f 0x10", "$2|16|"},
		{"incrbyfloat f inf", "-ERR increment would produce NaN or Infinity|"},
		{"incrbyfloat f nan", "-ERR value is not a valid float|"},
		{"incrbyfloat f -0.5", "$4|15.5|"},
		{"mset k1 ohmytext k2 mynewtext", "+OK|"},
		{"lcs k1 k2", "$6|mytext|"},
		{"lcs k1 k2 len", ":6|"},
		{"lcs k1 k2 idx minmatchlen 4 withmatchlen", "*4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6|"},
		{"lcs k1 k2 len idx", "-" + errLCSOptions + "|"},
		{"lcs k1 k2 minmatchlen", syntax},
	})
}

func TestKeyspaceReplies(t *testing.T) {
	runExchanges(t, []exchange{
		{"rename a a", "-ERR no such key|"},
		{"renamenx a a", "-ERR no such key|"},
		{"set a 1", "+OK|"},
		{"rename a a", "+OK|"},
		{"renamenx a a", ":0|"},
		{"rename a b", "+OK|"},
		{"exists a b b", ":2|"},
		{"touch a b", ":1|"},
		{"type b", "+string|"},
		{"type a", "+none|"},
		{"copy b c db x", notInt},
		{"copy b c db 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647|"},
		{"copy b c db 99", "-ERR DB index is out of range|"},
		{"copy b b replace db 0", "-ERR source and destination objects are the same|"},
		{"copy b b foo", syntax},
		{"copy nokey c", ":0|"},
		{"copy b b db 1", ":1|"},
		{"copy b b db 1", ":0|"},
		{"copy b b db 1 replace", ":1|"},
		{"move b x", notInt},
		{"move b 99", "-ERR DB index is out of range|"},
		{"move b 0", "-ERR source and destination objects are the same|"},
		{"move b 1", ":0|"},
		{"swapdb x y", "-ERR invalid first DB index|"},
		{"swapdb 0 99999999999", "-ERR invalid second DB index|"},
		{"swapdb 99 1", "-ERR DB index is out of range|"},
		{"swapdb 0 1", "+OK|"},
		{"keys *", "*1|$1|b|"},
		{"dbsize", ":1|"},
		{"randomkey", "$1|b|"},
		{"scan x count x", "-ERR invalid cursor|"},
		{"scan 0 count", syntax},
		{"scan 0 count 0", syntax},
		{"scan 0 count x", notInt},
		{"scan 0 count 1000", "*2|$1|0|*1|$1|b|"},
		{"scan 0 type foo count 1000", "*2|$1|0|*0|"},
		{`scan "" match [a] count 1000`, "*2|$1|0|*0|"},
		{"flushdb x", syntax},
		{"flushall sync async", syntax},
		{"flushdb async", "+OK|"},
		{"del a b", ":0|"},
		{"randomkey", "$-1|"},
		{"unlink a b", ":0|"},
	})
}

func TestExpireReplies(t *testing.T) {
	const invalid = "-ERR invalid expire time in 'expire' command|"
	runExchanges(t, []exchange{
		{"expire a x foo", "-ERR Unsupported option foo|"},
		{"expire a x", notInt},
		{"expire a 10 nx xx", "-" + errExpireNXOther + "|"},
		{"expire a 10 gt lt", "-" + errExpireGTLT + "|"},
		{"expire a 9223372036854775807", invalid},
		{"expire a -9223372036854775808", invalid},
		{"expire a 10", ":0|"},
		{"ttl a", ":-2|"},
		{"set a 1", "+OK|"},
		{"pexpireat a 33177117420000 xx", ":0|"},
		{"pexpireat a 33177117420000 gt", ":0|"},
		{"pexpireat a 33177117420000 lt", ":1|"},
		{"expiretime a", ":33177117420|"},
		{"pexpiretime a", ":33177117420000|"},
		{"expireat a 33177117420 nx", ":0|"},
		{"persist a", ":1|"},
		{"persist a", ":0|"},
		{"pttl a", ":-1|"},
		{"pexpire a -9223372036854775808", ":1|"},
		{"exists a", ":0|"},
	})
}

func TestObjectReplies(t *testing.T) {
	runExchanges(t, []exchange{
		{"object", "-ERR wrong number of arguments for 'object' command|"},
		{"object foo a", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.|"},
		{"object encoding", "-ERR wrong number of arguments for 'object|encoding' command|"},
		{"object freq a", "$-1|"},
		{"set a 1", "+OK|"},
		{"object freq a", "-" + errFreqNotLFU + "|"},
		{"object encoding a", "$3|int|"},
		{"object refcount a", ":2147483647|"},
		{"config set maxmemory-policy allkeys-lfu", "+OK|"},
		{"object idletime a", "-" + errIdleIsLFU + "|"},
	})
}

// TestObjectIdleTime: an access sets the time back that nobody has accessed a key for,
// and OBJECT is none.
func TestObjectIdleTime(t *testing.T) {
	s := startServer(t, nil)
	nowMs := time.Now().UnixMilli()
	s.store.SetClock(func() int64 { return nowMs })
	c := s.dial(t)
	c.want("SET a 1", okReply)
	c.want("OBJECT IDLETIME a", ":0\r\n")
	s.store.SetClock(func() int64 { return nowMs + 7000 })
	c.want("OBJECT IDLETIME a", ":7\r\n")
	c.want("OBJECT ENCODING a", "$3\r\nint\r\n")
	c.want("OBJECT IDLETIME a", ":7\r\n")
	c.want("GET a", "$1\r\n1\r\n")
	c.want("OBJECT IDLETIME a", ":0\r\n")
}

func TestDataRepliesRESP3(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.do("hello 3")
	c.want("get nokey", "_\r\n")
	c.want("mget nokey", "*1\r\n_\r\n")
	c.want("set nokey v xx", "_\r\n")
	c.want("randomkey", "_\r\n")
	c.want("object encoding nokey", "_\r\n")
	c.want("lcs a b idx", "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n")
}

// localClient is a client without a connection whose replies stay in its buffer.
type localClient struct {
	*client
	woken chan struct{} // of capacity 1: it has what it waited for
}

// localLink stands for its connection.
type localLink struct{ woken chan struct{} }

func (k localLink) interrupt() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}
func (localLink) kill()                        {}
func (localLink) pushed()                      {}
func (localLink) keepOpen() (io.Closer, error) { return nil, errors.ErrUnsupported }
func (localLink) hold()                        {}

// newLocalClient makes a server with a store in dir, and a client of it.
func newLocalClient(t *testing.T, dir string) localClient {
	t.Helper()
	return newLocalClientOn(t, dir, types.Options{})
}

// newLocalClientOn is newLocalClient with a store of these options.
func newLocalClientOn(t *testing.T, dir string, opt types.Options) localClient {
	t.Helper()
	srv, err := NewServer(Options{Config: NewConfig(nil)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := types.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	srv.Ready(store)
	t.Cleanup(func() {
		if err := errors.Join(srv.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	c := localClient{srv.newClient(peer{}, srv.config.Load()), make(chan struct{}, 1)}
	c.link = localLink{c.woken}
	return c
}

// do runs a command and returns its reply, which is valid until the next one.
func (c localClient) do(args [][]byte) []byte {
	c.buf = c.buf[:0]
	c.execute(nil, args)
	for c.parking.on { // what the command reads is not in memory
		<-c.woken
		if c.unpark() {
			c.execute(nil, args)
		}
	}
	return c.buf
}

// TestAllocations: what runs a million times a second allocates nothing.
func TestAllocations(t *testing.T) {
	c := newLocalClient(t, t.TempDir())
	c.do(words("set key 12345678"))
	for _, line := range []string{"get key", "GET nokey", "strlen key", "exists key", "ttl key", "getrange key 1 5", "mget key nokey key"} {
		args := words(line)
		c.do(args)
		if n := testenv.Allocations(func() { c.do(args) }); n != 0 {
			t.Errorf("%s allocates %v times", line, n)
		}
	}
}

// TestDamagedValue flips every byte of the data files under a running server: a
// value that cannot be read is an error, never data, and the reply has nothing
// of it.
func TestDamagedValue(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { damagedValue(t, types.Options{}) })
	t.Run("not in memory", func(t *testing.T) {
		var opt types.Options
		opt.Engine.FS = newColdFS()
		damagedValue(t, opt)
	})
}

func damagedValue(t *testing.T, opt types.Options) {
	t.Helper()
	dir := t.TempDir()
	c := newLocalClientOn(t, dir, opt)
	want := func(line, reply string) {
		t.Helper()
		if got := c.do(words(line)); string(got) != reply+"\r\n" {
			t.Errorf("%.40s: got %.60q, want %q", line, got, reply)
		}
	}
	value := strings.Repeat("0123456789", 2000)
	want("set small "+value[:50], "+OK")
	want("set big "+value, "+OK")
	want("set undamaged 1", "+OK")
	if err := c.srv.store.Engine().Sync(); err != nil {
		t.Fatal(err)
	}
	damageFiles(t, dir)
	for _, line := range []string{
		"get small", "get big", "mget undamaged small", "getrange big 5 19990", "getset small x",
		"set small x get", "getdel small", "getex small", "copy small b",
	} {
		want(line, "-"+errCorrupt)
	}
	want("strlen small", ":50")
	want("set small x", "+OK")
	want("get small", "$1\r\nx")
}

// damageFiles flips every byte of the files of data in dir.
func damageFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no data files in %s: %v", dir, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 0x55
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
