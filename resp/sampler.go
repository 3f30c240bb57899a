package resp

import (
	"sync"
	"time"
)

// sampler takes samples of counters ten times a second, for the rates of INFO.
type sampler struct {
	mu       sync.Mutex // guards following
	last     time.Time
	lastSeen [rateCount]int64
	rates    [rateCount][rateSamples]float64 // per second
	next     int
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
	p.mu.Unlock()
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

// reset forgets the samples.
func (p *sampler) reset() {
	p.mu.Lock()
	p.rates = [rateCount][rateSamples]float64{}
	p.last = time.Time{}
	p.mu.Unlock()
}
