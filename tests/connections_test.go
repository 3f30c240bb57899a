package tests

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// T13: many connections, a tenth of which ask for more than they read. The others
// are answered rightly all the time, and memory stays bounded. What the slow ones
// cost the others in time is printed, for a reader to judge.
//
//	BITKV_CONNECTIONS  how many, 1000 if not set (`make connections`: 10,000)
//	BITKV_CONNECTIONS_SECONDS  for how long latency is measured, each time, 2 if not set
const (
	connWorkers   = 32
	connValue     = 8 << 10 // bytes that a slow reader asks for again and again
	connRequests  = 16      // so often
	connGoodBytes = 32 << 10
	connSlowBytes = 512 << 10 // what a connection may cost the server
)

func TestConnections(t *testing.T) {
	n := envInt(t, "BITKV_CONNECTIONS", 1000)
	seconds := envInt(t, "BITKV_CONNECTIONS_SECONDS", 2)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if need := uint64(n + n/8 + 200); limit.Cur < need {
		t.Fatalf("%d connections need %d open files here and in the server, and `ulimit -n` is %d", n, need, limit.Cur)
	}
	s := start(t, ours, "--maxclients", strconv.Itoa(n+16))
	w := s.wire(t)
	if v, err := w.do("SET", "large", strings.Repeat("x", connValue)); err != nil || v.raw != "+OK\r\n" {
		t.Fatalf("SET: %q, %v", v.raw, err)
	}
	slow := n / 10
	good := make([]*wire, n-slow)
	for i := range good {
		good[i] = s.wire(t)
	}
	before, count := latency(t, good, time.Duration(seconds)*time.Second)
	t.Logf("%d connections, %d commands: p50 %v, p99 %v", len(good), count, before[0], before[1])
	rss := s.rssBytes(t)
	for range slow {
		lazy(t, s.addr)
	}
	eventually(t, "all are connected", func() bool {
		v, err := w.do("INFO", "clients")
		return err == nil && strings.Contains(v.text, "connected_clients:"+strconv.Itoa(n+1)+"\r\n")
	})
	after, count := latency(t, good, time.Duration(seconds)*time.Second)
	t.Logf("and %d slow readers, %d commands: p50 %v, p99 %v, %.2f times that of before", slow, count, after[0], after[1], float64(after[1])/float64(before[1]))
	grown, may := s.rssBytes(t)-rss, int64(len(good))*connGoodBytes+int64(slow)*connSlowBytes+64<<20
	t.Logf("memory has grown by %d MB", grown>>20)
	if grown > may {
		t.Errorf("memory has grown by %d bytes, more than %d", grown, may)
	}
	s.alive(t)
}

// lazy connects a client that asks for much and reads nothing of it.
func lazy(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	var buf []byte
	for range connRequests {
		buf = appendCommand(buf, "GET", "large")
	}
	if _, err := conn.Write(buf); err != nil {
		t.Fatal(err)
	}
}

// latency sends commands over all connections in turn, some at a time, and returns
// the median and the 99th percentile of how long a reply took.
func latency(t *testing.T, conns []*wire, limit time.Duration) (quantiles [2]time.Duration, count int) {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	end := time.Now().Add(limit)
	for worker := range connWorkers {
		wg.Go(func() {
			var own []time.Duration
			for i := worker; len(own) == 0 || time.Now().Before(end); i += connWorkers {
				if i >= len(conns) {
					i = worker
				}
				key, value := "k"+strconv.Itoa(i), strconv.Itoa(len(own))
				for _, step := range [][]string{{"+OK\r\n", "SET", key, value}, {"$" + strconv.Itoa(len(value)) + "\r\n" + value + "\r\n", "GET", key}} {
					begin := time.Now()
					v, err := conns[i].do(step[1:]...)
					own = append(own, time.Since(begin))
					if err != nil || v.raw != step[0] {
						t.Errorf("%q over connection %d: %q, %v", step[1:], i, v.raw, err)
						return
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	wg.Wait()
	if len(took) == 0 {
		t.Fatal("nothing was answered")
	}
	slices.Sort(took)
	return [2]time.Duration{took[len(took)/2], took[len(took)*99/100]}, len(took)
}
