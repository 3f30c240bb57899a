package resp

import (
	"sync"
	"sync/atomic"
	"time"
)

// sampler takes samples of counters ten times a second, for the rates of INFO,
// and of memory once a second, for its peak.
type sampler struct {
	startUsed atomic.Int64 // memory in use when the server was made
	peakUsed  atomic.Int64

	mu       sync.Mutex // guards following
	last     time.Time
	lastSeen [rateCount]int64
	rates    [rateCount][rateSamples]float64 // per second
	next     int
	ticks    int
}

// rateSamples is how many samples a rate is the average of: 1.6 seconds.
const rateSamples = 16

// The rates.
const (
	rateCommands = iota
	rateNetIn
	rateNetOut
	rateCount
)

// sample takes a sample.
func (p *sampler) sample(now time.Time, s *Server) {
	seen := [rateCount]int64{s.stats.commands.Load(), s.stats.netIn.Load(), s.stats.netOut.Load()}
	p.mu.Lock()
	elapsed := now.Sub(p.last).Seconds()
	if !p.last.IsZero() && elapsed > 0 {
		for i := range seen {
			// A counter that was reset meanwhile counts from 0.
			delta := seen[i] - p.lastSeen[i]
			if delta < 0 {
				delta = seen[i]
			}
			p.rates[i][p.next] = float64(delta) / elapsed
		}
		p.next = (p.next + 1) % rateSamples
	}
	p.last, p.lastSeen = now, seen
	p.ticks++
	memoryToo := p.ticks%10 == 1
	p.mu.Unlock()
	if memoryToo {
		m := readMemory()
		p.sawUsed(m.used())
	}
}

// sawUsed keeps the peak of the memory in use.
func (p *sampler) sawUsed(used int64) {
	for {
		peak := p.peakUsed.Load()
		if used <= peak || p.peakUsed.CompareAndSwap(peak, used) {
			return
		}
	}
}

// rate returns a rate per second, averaged over the samples.
func (p *sampler) rate(which int) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := 0.0
	for _, r := range p.rates[which] {
		sum += r
	}
	return sum / rateSamples
}

// reset forgets the samples and the peak.
func (p *sampler) reset() {
	p.mu.Lock()
	p.rates = [rateCount][rateSamples]float64{}
	p.last = time.Time{}
	p.mu.Unlock()
	m := readMemory()
	p.peakUsed.Store(m.used())
}
