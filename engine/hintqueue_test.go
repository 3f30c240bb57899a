package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hinted returns which of the data files have a hint file.
func (x *trusted) hinted(data []string) (hinted []bool) {
	x.t.Helper()
	hints := x.names(hintSuffix)
	for _, name := range data {
		number, _, _ := parseFileName(name)
		hinted = append(hinted, slices.Contains(hints, hintFileName(number)))
	}
	return hinted
}

func TestHintFilesAreWrittenLate(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  int // sealed, of live records
		dead   bool
		wait   time.Duration
		hinted int // the first ones
	}{
		{name: "at first there is none", files: 2, wait: 2 * hintLook, hinted: 0},
		{name: "then there is", files: 2, wait: hintDelay + 2*hintLook, hinted: 2},
		{name: "few wait", files: hintWaiting + 3, wait: 2 * hintLook, hinted: 3},
		{name: "what is mostly dead waits", files: hintWaiting + 3, dead: true, wait: hintDelay + 2*hintLook, hinted: 0},
		{name: "but not for ever", files: hintWaiting + 3, dead: true, wait: hintDeadDelay + 2*hintLook, hinted: hintWaiting + 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Merges are on, but there is never enough for one.
				x := newTrusted(t, func(o *Options) { o.MergeDeadBytes, o.DataFileBytes = 1<<40, 64<<10 })
				for i := range c.files {
					x.fill(fmt.Sprint(i), 5)
					x.seal()
				}
				files := x.names(dataSuffix)[:c.files]
				if c.dead {
					for i := range c.files {
						x.fill(fmt.Sprint(i), 5)
					}
				}
				time.Sleep(c.wait)
				for i, got := range x.hinted(files) {
					if want := i < c.hinted; got != want {
						t.Errorf("after %v, file %d of %d has a hint: %v, want %v", c.wait, i, len(files), got, want)
					}
				}
				killed := x.m.image(crashKill, nil)
				x.close()
				for i, got := range x.hinted(x.names(dataSuffix)) {
					if !got {
						t.Errorf("file %d has no hint after Close", i)
					}
				}
				// What had none when the process was killed gets one after the next Open.
				x.m = killed
				x.open()
				time.Sleep(2 * hintLook)
				for i, got := range x.hinted(files) {
					if !got {
						t.Errorf("after the next Open, file %d of %d has no hint", i, len(files))
					}
				}
				for i := range c.files {
					x.want(fmt.Sprintf("%d0004", i), strings.Repeat("v", 100))
				}
				x.close()
			})
		})
	}
}

func TestNoHintFileForWhatWasMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 10)
		x.seal()
		first := x.names(dataSuffix)[0]
		made := false
		x.m.setHook(func(c memCall) memFault {
			number, _, _ := parseFileName(first)
			made = made || filepath.Base(c.name) == hintFileName(number)+tmpSuffix && c.op == opCreate
			return memFault{}
		})
		x.fill("a", 10)
		x.merge(0)
		time.Sleep(2 * hintDeadDelay)
		if _, ok := x.m.contents(filepath.Join(crashDir, first)); ok || made {
			t.Errorf("%s exists: %v; its hint file was written: %v", first, ok, made)
		}
		x.m.setHook(nil)
		x.want("a0001", strings.Repeat("v", 100))
		x.close()
	})
}
