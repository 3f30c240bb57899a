package resp

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"bitkv/internal/testenv"
)

// listening starts a server on a port of its configuration.
func listening(t *testing.T) *testServer {
	t.Helper()
	s := prepareServer(t, func(set *Settings) { set.Bind, set.Port = []string{"127.0.0.1"}, int64(testenv.FreePort(t)) })
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.addr = s.Addrs()[0].String()
	return s
}

func TestConfigPort(t *testing.T) {
	s := listening(t)
	before := s.addr
	c := s.dial(t)
	port := strconv.Itoa(testenv.FreePort(t))
	c.want("CONFIG SET port "+port, "+OK\r\n")
	c.want("CONFIG GET port", "*2\r\n$4\r\nport\r\n$"+strconv.Itoa(len(port))+"\r\n"+port+"\r\n")
	if got := c.do("INFO server"); !strings.Contains(got, "\r\ntcp_port:"+port+"\r\n") {
		t.Errorf("INFO says\n%s", got)
	}
	s.addr = "127.0.0.1:" + port
	s.ping(t)
	if conn, err := net.Dial("tcp", before); err == nil {
		conn.Close()
		t.Error("the old port is still listened on")
	}
	if n := len(s.Addrs()); n != 1 {
		t.Errorf("%d addresses are listened on, want 1", n)
	}
}

// A port that cannot be had leaves everything as it was: the old port, and what
// else the same CONFIG SET had set.
func TestConfigPortTaken(t *testing.T) {
	s := listening(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	c := s.dial(t)
	const failed = "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.\r\n"
	c.want("CONFIG SET maxclients 100 port "+port+" timeout 7", failed)
	c.want("CONFIG GET maxclients timeout", "*4\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n$7\r\ntimeout\r\n$1\r\n0\r\n")
	s.ping(t)
}

func TestConfigBind(t *testing.T) {
	s := listening(t)
	c := s.dial(t)
	c.want("CONFIG SET bind '127.0.0.1 -::1'", "+OK\r\n")
	s.ping(t)
	c.want("CONFIG SET bind 'no..such.host'", // that is no name that anybody would have to be asked about
		"-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n")
	s.ping(t)
	c.want("CONFIG SET bind ''", "+OK\r\n")
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		conn.Close()
		t.Error("an address is listened on although bind is empty")
	}
	c.want("CONFIG SET bind 127.0.0.1", "+OK\r\n")
	s.ping(t)
}

// A server that ends listens on nothing new.
func TestServeAfterCloseListeners(t *testing.T) {
	s := listening(t)
	c := s.dial(t)
	c.want("PING", "+PONG\r\n")
	if err := s.CloseListeners(); err != nil {
		t.Fatal(err)
	}
	c.want("CONFIG SET port "+strconv.Itoa(testenv.FreePort(t)), "+OK\r\n")
	if n := len(s.Addrs()); n != 0 {
		t.Errorf("%d addresses are listened on after CloseListeners", n)
	}
}
