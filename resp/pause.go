package resp

import (
	"sync"
	"sync/atomic"
	"time"
)

// pauseMode is what CLIENT PAUSE holds back.
type pauseMode int32

const (
	pauseNone  pauseMode = 0
	pauseWrite pauseMode = 1 // commands that may write
	pauseAll   pauseMode = 2 // every command
)

// pauseState is what CLIENT PAUSE has asked for.
type pauseState struct {
	mode atomic.Int32 // pauseMode, read by every command

	mu    sync.Mutex // guards following, and changes of mode
	until time.Time
	timer *time.Timer
	held  map[*client]struct{} // parked by the pause
}

// pauseClients is CLIENT PAUSE. A pause that is on already is only ever made
// longer and stricter, as in Redis.
func (s *Server) pauseClients(mode pauseMode, forMs int64) {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(time.Duration(forMs) * time.Millisecond)
	if mode < pauseMode(p.mode.Load()) {
		mode = pauseMode(p.mode.Load())
	}
	if until.After(p.until) {
		p.until = until
	}
	p.mode.Store(int32(mode))
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(time.Until(p.until), s.pauseEnds)
	if store := s.loadedStore(); store != nil {
		store.PauseExpiry(true)
	}
}

// pauseEnds ends the pause if its time has come: it may have been made longer.
func (s *Server) pauseEnds() {
	s.pause.mu.Lock()
	over := !time.Now().Before(s.pause.until)
	s.pause.mu.Unlock()
	if over {
		s.unpauseClients()
	}
}

// unpauseClients is CLIENT UNPAUSE: every command held back goes on.
func (s *Server) unpauseClients() {
	p := &s.pause
	p.mu.Lock()
	p.mode.Store(int32(pauseNone))
	p.until = time.Time{}
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	held := p.held
	p.held = nil
	p.mu.Unlock()
	if store := s.loadedStore(); store != nil {
		store.PauseExpiry(false)
	}
	for c := range held {
		c.wake()
	}
}

// pauses reports whether a pause holds cmd back.
func (c *client) pauses(cmd *command) bool {
	switch pauseMode(c.srv.pause.mode.Load()) {
	case pauseAll:
		return true
	case pauseWrite:
		return cmd.flags&flagsWrite != 0 || cmd.name == "exec" && c.queue.flags&flagsWrite != 0
	default:
		return false
	}
}

// postpone parks the client until the pause is over. It reports false if that is
// already so.
func (c *client) postpone() bool {
	p := &c.srv.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if pauseMode(p.mode.Load()) == pauseNone {
		return false
	}
	if p.held == nil {
		p.held = make(map[*client]struct{})
	}
	p.held[c] = struct{}{}
	c.park(parking{
		retry:     true,
		postponed: true,
		cleanup: func() {
			p.mu.Lock()
			delete(p.held, c)
			p.mu.Unlock()
		},
	})
	return true
}
