// Package testenv is what the tests of several packages ask of the system that they
// run on. Nothing but tests may import it.
package testenv

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FreePort returns a TCP port of the loopback that nobody listens on.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
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
	for deadline := time.Now().Add(30 * time.Second); len(Goroutines(pkg)) > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			tb.Fatalf("goroutines of %s are left:\n%s", pkg, strings.Join(Goroutines(pkg), "\n\n"))
		}
	}
}
