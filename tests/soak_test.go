package tests

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// T12: a long run. Writers overwrite, delete and let expire, readers walk and ask,
// merges run by themselves and by hand, clients come and go. Nothing may grow that
// does not hold data: memory, open files, goroutines, data files, and what is pinned
// by readers.
//
//	BITKV_SOAK_SECONDS  for how long, 10 if not set (`make soak`: 120)
//	BITKV_SOAK_SEED     the seed, or "random"; 1 if not set
const (
	soakSeconds = 10
	soakKeys    = 5000 // of each of soakWriters
	soakWriters = 3
	soakSamples = 24
)

// soakSample is what must not grow.
type soakSample map[string]int64

// soakSlack is what a figure may be more at the end than after the beginning: a share
// of it, and so much besides.
var soakSlack = map[string]struct {
	share float64
	more  int64
}{
	"rss_anonymous": {0.25, 48 << 20},
	"fds":           {0, 24}, // merges have some files open
	"goroutines":    {0, 16},
	"data_files":    {1, 16},
	"pinned_bytes":  {0, 64 << 20},
	"disk_bytes":    {1, 64 << 20},
}

func TestSoak(t *testing.T) {
	seconds := envInt(t, "BITKV_SOAK_SECONDS", soakSeconds)
	seed := seedOf(t, "BITKV_SOAK_SEED")
	t.Logf("BITKV_SOAK_SECONDS=%d", seconds)
	args := []string{}
	if ours.isOurs() {
		args = []string{"--data-file-size", "4mb", "--merge-dead-bytes", "8mb", "--merge-ratio", "0.4"}
	}
	s := start(t, ours, args...)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range soakWriters {
		wg.Go(func() { soakLoop(t, s, stop, newGen(seed, uint64(i)), i) })
	}
	wg.Go(func() { soakVisitors(t, s, stop) })
	var samples []soakSample
	tick := time.NewTicker(time.Duration(seconds) * time.Second / soakSamples)
	defer tick.Stop()
	for range soakSamples {
		<-tick.C
		samples = append(samples, takeSoakSample(t, s))
	}
	close(stop)
	wg.Wait()
	if t.Failed() {
		return
	}
	judgeSoak(t, samples)
	s.alive(t)
	code := s.terminate(t, syscall.SIGTERM)
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, s.logTail())
	}
}

// judgeSoak compares the medians of the second and of the last quarter.
func judgeSoak(t *testing.T, samples []soakSample) {
	t.Helper()
	quarter := len(samples) / 4
	median := func(part []soakSample, name string) int64 {
		var all []int64
		for _, sample := range part {
			all = append(all, sample[name])
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for name, slack := range soakSlack {
		early, late := median(samples[quarter:2*quarter], name), median(samples[3*quarter:], name)
		t.Logf("%s: %d, then %d", name, early, late)
		if late > early+int64(float64(early)*slack.share)+slack.more {
			t.Errorf("%s grows from %d to %d", name, early, late)
		}
	}
	if last := samples[len(samples)-1]; last["merges"] == 0 && ours.isOurs() {
		t.Error("nothing was merged")
	}
}

// takeSoakSample reads INFO and counts open files.
func takeSoakSample(t *testing.T, s *server) soakSample {
	t.Helper()
	w, err := dialWire(s.addr)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.logTail())
	}
	defer w.close()
	v, err := w.do("INFO", "bitkv")
	if err != nil {
		t.Fatal(err)
	}
	sample := soakSample{}
	for line := range strings.SplitSeq(v.text, "\r\n") {
		name, text, _ := strings.Cut(line, ":")
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			sample[name] = n
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	sample["fds"] = int64(len(fds))
	return sample
}

// soakLoop writes and reads the keys of one writer until stop.
func soakLoop(t *testing.T, s *server, stop chan struct{}, g gen, writer int) {
	t.Helper()
	w, err := dialWire(s.addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer w.close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		var buf []byte
		const batch = 32
		for range batch {
			buf = appendCommand(buf, g.soakCommand(writer)...)
		}
		if err := w.write(buf); err != nil {
			t.Error(err)
			return
		}
		for range batch {
			v, err := w.read()
			if err == nil && v.kind == '-' {
				err = errors.New(v.raw)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// soakCommand is a command on one of the keys of a writer, of a type by its name.
func (g gen) soakCommand(writer int) []string {
	n := g.IntN(soakKeys)
	key := func(kind string) string { return fmt.Sprintf("%s:%d:%d", kind, writer, n) }
	value := strings.Repeat("v", g.IntN(600))
	collection := func(kind string) string { return fmt.Sprintf("%s:%d:%d", kind, writer, n%20) }
	member := strconv.Itoa(g.IntN(1000))
	switch g.IntN(16) {
	case 0, 1, 2:
		return []string{"SET", key("s"), value}
	case 3:
		return []string{"SET", key("e"), value, "PX", strconv.Itoa(1 + g.IntN(2000))}
	case 4:
		return []string{"GET", key("s")}
	case 5:
		return []string{"DEL", key("s")}
	case 6:
		return []string{"HSET", collection("h"), member, value}
	case 7:
		return []string{"HDEL", collection("h"), member}
	case 8:
		return []string{"ZADD", collection("z"), member, member}
	case 9:
		return []string{"ZPOPMIN", collection("z")}
	case 10:
		return []string{"RPUSH", collection("l"), value}
	case 11:
		return []string{"LTRIM", collection("l"), "-100", "-1"}
	case 12:
		return []string{"SADD", collection("t"), member}
	case 13:
		return []string{"SPOP", collection("t")}
	case 14:
		return []string{"SCAN", "0", "COUNT", "50"}
	default:
		if g.chance(50) {
			return []string{"DEL", collection("h"), collection("z"), collection("l"), collection("t")}
		}
		return []string{"HGETALL", collection("h")}
	}
}

// soakVisitors connects, asks for a merge and leaves, again and again.
func soakVisitors(t *testing.T, s *server, stop chan struct{}) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		w, err := dialWire(s.addr)
		if err != nil {
			t.Error(err)
			return
		}
		command := "PING"
		if n%20 == 0 {
			command = "BGREWRITEAOF"
		}
		if _, err := w.do(command); err != nil {
			t.Error(err)
		}
		w.close()
	}
}
