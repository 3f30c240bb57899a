package resp

import "testing"

func TestSmoke(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.want("PING", "+PONG\r\n")
	c.want("SET a b", "+OK\r\n")
	c.want("GET a", "$1\r\nb\r\n")
	t.Log(c.do("CLIENT LIST"))
}
