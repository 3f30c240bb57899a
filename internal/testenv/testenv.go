// Package testenv is what the tests of several packages ask of the system that they
// run on. Nothing but tests may import it.
package testenv

import (
	"flag"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// FixProperties makes the property tests of a package, those by rapid, the same ones in
// every run. Its tests call it in an init. BITKV_RAPID_SEED is another seed, or "random";
// rapid prints the one of a test that failed. Of the command line, -rapid.seed counts more.
func FixProperties() {
	seed := os.Getenv("BITKV_RAPID_SEED")
	switch seed {
	case "":
		seed = "1"
	case "random":
		seed = "0" // rapid's word for it
	}
	if err := flag.Set("rapid.seed", seed); err != nil {
		panic("BITKV_RAPID_SEED: " + err.Error())
	}
}

// Ports that tests give to servers lie below those that systems give to outgoing
// connections, which begin at 32768 at the least: no client can take one between its
// choice and the server's listening.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// port is where the next search begins: elsewhere in each process.
var port atomic.Uint32

func init() {
	port.Store(rand.Uint32())
}

// FreePort returns a TCP port of the loopback that nobody listens on. It is the test's
// until the test ends: no other test gets it, in this process or another one that asks
// here, because two servers that were told the same port look like one to whoever dials
// it. A UDP socket of that number, which no test has another use for, holds it.
func FreePort(tb testing.TB) int {
	tb.Helper()
	for range lastPort - firstPort {
		n := firstPort + int(port.Add(1)%(lastPort-firstPort))
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(n))
		held, err := net.ListenPacket("udp4", addr)
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp4", addr); err == nil && l.Close() == nil {
			tb.Cleanup(func() {
				if err := held.Close(); err != nil {
					tb.Error(err)
				}
			})
			return n
		}
		if err := held.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Fatal("no port of the loopback is free")
	return 0
}

// Goroutines returns the stacks of the goroutines that run a package, named by its
// import path, but for those of its tests.
func Goroutines(pkg string) (stacks []string) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, pkg+".") && !strings.Contains(stack, "_test.go") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// WantGoroutines fails the test if there are more than n such goroutines and stay. One
// that has said that it is done may need a moment to be gone.
func WantGoroutines(tb testing.TB, pkg string, n int) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); len(Goroutines(pkg)) > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			tb.Fatalf("goroutines of %s are left:\n%s", pkg, strings.Join(Goroutines(pkg), "\n\n"))
		}
	}
}
