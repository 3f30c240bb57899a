package engine

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ours returns the stacks of the goroutines that run this package, but for tests.
func ours() (stacks []string) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "bitkv/engine.") && !strings.Contains(stack, "_test.go") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// T14: Close waits for every goroutine, whatever they are at.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := len(ours())
	for _, sync := range []SyncPolicy{SyncAlways, SyncEverySecond, SyncNever, SyncBytes} {
		opt := testOptions()
		opt.Sync, opt.MergeDeadBytes, opt.MergeRatio = sync, 1, 0.1
		db := mustOpen(t, t.TempDir(), opt)
		for i := range 400 {
			if err := db.Put(fmt.Appendf(nil, "key-%d", i%40), make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
		}
		if len(ours()) == before {
			t.Fatal("an open database has no goroutine: this test does not see them")
		}
		merged := make(chan error)
		go func() { merged <- db.Merge(context.Background(), 0) }()
		mustClose(t, db)
		<-merged // done, or cancelled by Close
	}
	// One that has said that it is done may need a moment to be gone.
	for deadline := time.Now().Add(5 * time.Second); len(ours()) > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("left after Close:\n%s", strings.Join(ours(), "\n\n"))
		}
	}
}
