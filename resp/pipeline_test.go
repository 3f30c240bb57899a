package resp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The path of a pipeline from its bytes to its replies, without a connection.

const (
	pipelineKeys    = 1 << 20
	pipelineBatches = 1 << 12
	pipelineDepth   = 16
)

// pipelineOf makes batches of pipelineDepth commands each; %d in an argument is a
// random number.
func pipelineOf(args ...string) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	batches := make([][]byte, pipelineBatches)
	for i := range batches {
		var b strings.Builder
		for range pipelineDepth {
			fmt.Fprintf(&b, "*%d\r\n", len(args))
			for _, arg := range args {
				if strings.Contains(arg, "%") {
					arg = fmt.Sprintf(arg, rnd.IntN(pipelineKeys))
				}
				fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
			}
		}
		batches[i] = []byte(b.String())
	}
	return batches
}

// runPipeline runs one batch as a driver does.
func runPipeline(tb testing.TB, c *client, query, batch []byte) {
	tb.Helper()
	c.frame.borrow(query)
	c.frame.filled(copy(c.frame.space(), batch))
	if c.advance(turnCommandsOfTest) != awaits {
		tb.Fatal("a batch did not run as a whole")
	}
	c.frame.giveBack()
	if !c.acknowledge() {
		tb.Fatal("not acknowledged")
	}
	c.acc.flush(c.srv)
	c.buf = c.buf[:0]
}

const turnCommandsOfTest = 1 << 10

// BenchmarkPipeline is a pipeline of random keys among a million. One operation is
// one command.
func BenchmarkPipeline(b *testing.B) {
	s := startServer(b, nil)
	c := s.newClient(peer{}, s.config.Load())
	query := make([]byte, 0, maxReadAhead)
	value := strings.Repeat("v", 64)
	for i := range pipelineKeys {
		c.execute(nil, [][]byte{[]byte("SET"), fmt.Appendf(nil, "key:%012d", i), []byte(value)})
		c.execute(nil, [][]byte{[]byte("SET"), fmt.Appendf(nil, "counter:%012d", i), []byte("1")})
		c.buf = c.buf[:0]
		if i%1000 == 0 && !c.acknowledge() {
			b.Fatal("not acknowledged")
		}
	}
	for _, bm := range []struct {
		name string
		args []string
	}{
		{"PING", []string{"PING"}},
		{"GET", []string{"GET", "key:%012d"}},
		{"SET", []string{"SET", "key:%012d", value}},
		{"INCR", []string{"INCR", "counter:%012d"}},
		{"LPUSH", []string{"LPUSH", "mylist", value}},
		{"RPOP", []string{"RPOP", "mylist"}},
		{"SADD", []string{"SADD", "myset", "element:%012d"}},
		{"HSET", []string{"HSET", "myhash", "element:%012d", value}},
		{"ZADD", []string{"ZADD", "myzset", "1", "element:%012d"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			batches := pipelineOf(bm.args...)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += pipelineDepth {
				runPipeline(b, c, query, batches[n/pipelineDepth%pipelineBatches])
			}
		})
	}
}
