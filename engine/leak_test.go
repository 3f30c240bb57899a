package engine

import (
	"context"
	"fmt"
	"testing"

	"bitkv/internal/testenv"
)

// T14: Close waits for every goroutine, whatever they are at.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	for _, sync := range []SyncPolicy{SyncAlways, SyncEverySecond, SyncNever, SyncBytes} {
		testenv.LeavesNoGoroutine(t, "bitkv/engine", func(begun func() int) {
			opt := testOptions()
			opt.Sync, opt.MergeDeadBytes, opt.MergeRatio = sync, 1, 0.1
			db := mustOpen(t, t.TempDir(), opt)
			for i := range 400 {
				if err := db.Put(fmt.Appendf(nil, "key-%d", i%40), make([]byte, 500)); err != nil {
					t.Fatal(err)
				}
			}
			if begun() == 0 {
				t.Fatal("an open database has no goroutine: this test does not see them")
			}
			merged := make(chan error, 1)
			go func() { merged <- db.Merge(context.Background(), 0) }()
			mustClose(t, db)
			<-merged // done, or cancelled by Close
		})
	}
}
