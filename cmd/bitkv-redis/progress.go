package main

import (
	"fmt"
	"sync"
	"time"

	"bitkv/engine"
)

// How far a long piece of work is, said to whoever waits for it: a tool says it on
// standard error, in one line of a terminal that is written again every second, or, if
// that is none, in a line every ten seconds; the server in its log, as often. What is done
// before the first of these is said nothing of.

const (
	paceOfTerminal = time.Second
	paceOfLog      = 10 * time.Second // of what somebody has to read in a file
)

// paceOf is how often something is said where it is written to.
func paceOf(terminal bool) time.Duration {
	if terminal {
		return paceOfTerminal
	}
	return paceOfLog
}

// pace tells when it is time to say how far a piece of work is. Any goroutine may ask.
type pace struct {
	every time.Duration

	mu    sync.Mutex // guards following
	work  string
	done  int64
	begun time.Time // the work, or what was said last
}

// due reports whether it is time, for whoever asks first. A piece of work is another
// one if it has another name, or is far behind where it was: goroutines that share
// one may overtake each other.
func (p *pace) due(pr engine.Progress, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.work != pr.Work || pr.DoneBytes < p.done/2 {
		p.work, p.begun = pr.Work, now
	}
	p.done = pr.DoneBytes
	if now.Sub(p.begun) < p.every {
		return false
	}
	p.begun = now
	return true
}

// progressText is a line for a person.
func progressText(pr engine.Progress) string {
	text := fmt.Sprintf("%s: %d%% of %s", pr.Work, percent(pr.DoneBytes, pr.TotalBytes), bytesText(pr.TotalBytes))
	if pr.ETA > 0 {
		text += fmt.Sprintf(", %v left", wholeSeconds(pr.ETA))
	}
	return text
}

// wholeSeconds rounds up: what is not done takes some time.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// progressFields is the same for a log. Without an eta it is not known, or all is read.
func progressFields(pr engine.Progress) []any {
	fields := []any{"percent", percent(pr.DoneBytes, pr.TotalBytes), "done_bytes", pr.DoneBytes, "total_bytes", pr.TotalBytes}
	if pr.ETA > 0 {
		fields = append(fields, "eta", wholeSeconds(pr.ETA))
	}
	if pr.Keys > 0 {
		fields = append(fields, "keys", pr.Keys)
	}
	return fields
}

// bytesText is a number of bytes for a person.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	f := float64(n)
	for i := 0; ; i++ {
		if f /= 1000; f < 999.95 || i == len(units)-1 {
			return fmt.Sprintf("%.1f %cB", f, units[i])
		}
	}
}

// watch calls fn, a tool's work, with what it tells how far it is.
func (p *process) watch(fn func(func(engine.Progress)) error) error {
	terminal := isTerminal(p.stderr)
	clock := pace{every: paceOf(terminal)}
	var mu sync.Mutex // guards following, and standard error
	said := false
	err := fn(func(pr engine.Progress) {
		if !clock.due(pr, time.Now()) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !terminal {
			p.report(progressText(pr))
			return
		}
		said = true
		_, _ = fmt.Fprintf(p.stderr, "\r\x1b[K%s", progressText(pr))
	})
	mu.Lock()
	defer mu.Unlock()
	if said {
		_, _ = fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	return err
}
