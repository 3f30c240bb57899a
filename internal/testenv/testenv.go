// Package testenv is what the tests of several packages ask of the system that they
// run on. Nothing but tests may import it.
package testenv

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
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

// Allocations returns how many allocations run makes, by the least of several
// measurements: what other goroutines, like the storage's, allocate meanwhile counts too.
func Allocations(run func()) float64 {
	least := math.Inf(1)
	for n := 0; n < 10 && least > 0; n++ {
		least = min(least, testing.AllocsPerRun(100, run))
	}
	return least
}

// LeavesNoGoroutine runs f and fails the test unless every goroutine of a package, named
// by its import path, that f began, and that those began, comes to its end: all but
// those whose stack shows a test. A goroutine that has said that it is done may need a
// moment to be gone. f is given a function that counts what f has begun of whatever
// package, whether it has run yet or not.
func LeavesNoGoroutine(tb testing.TB, pkg string, f func(begun func() int)) {
	tb.Helper()
	// The goroutines of earlier tests, of which some may be about to end, have no such label.
	name := strconv.FormatInt(watched.Add(1), 10)
	pprof.Do(tb.Context(), pprof.Labels("watched", name), func(context.Context) {
		f(func() int { n, _ := goroutines(tb, name, ""); return n })
	})
	n, stacks := goroutines(tb, name, pkg+".")
	for deadline := time.Now().Add(time.Minute); n > 0; n, stacks = goroutines(tb, name, pkg+".") {
		if time.Now().After(deadline) {
			tb.Fatalf("%d goroutines are left:\n%s", n, strings.Join(stacks, "\n\n"))
		}
		runtime.Gosched()
	}
}

// watched numbers the calls of LeavesNoGoroutine.
var watched atomic.Int64

// goroutines counts the goroutines that have a label and whose stacks contain frame, and
// returns their stacks: one for all that are the same.
func goroutines(tb testing.TB, name, frame string) (n int, stacks []string) {
	tb.Helper()
	var text strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		tb.Fatal(err)
	}
	label := fmt.Sprintf("%q:%q", "watched", name)
	_, all, _ := strings.Cut(text.String(), "\n") // without the line that counts all of them
	for stack := range strings.SplitSeq(all, "\n\n") {
		if !strings.Contains(stack, label) || !strings.Contains(stack, frame) || strings.Contains(stack, "_test.go") {
			continue
		}
		var same int
		if _, err := fmt.Sscanf(stack, "%d @", &same); err != nil {
			tb.Fatalf("%v in %s", err, stack)
		}
		n, stacks = n+same, append(stacks, stack)
	}
	return n, stacks
}
