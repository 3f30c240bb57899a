package resp

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"sync"
	"time"
)

// defaultUser is the one user there is: the owner of requirepass.
const defaultUser = "default"

// authenticate checks a name and a password and sets the client's state. It
// reports whether they are right.
func (c *client) authenticate(user string, password []byte) bool {
	want := c.srv.config.Load().RequirePass
	ok := user == defaultUser && (want == "" || samePassword(password, want))
	if !ok {
		c.srv.stats.authFailures.Add(1)
		return false
	}
	c.set(clientAuthenticated)
	c.srv.guard.forget(c.host())
	return true
}

// samePassword compares in a time that says nothing about either, not even
// their lengths.
func samePassword(got []byte, want string) bool {
	a, b := sha256.Sum256(got), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// host is the client's address without the port.
func (c *client) host() string {
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		return c.addr
	}
	return host
}

// authGuard slows down guessing: from the sixth wrong password on, an address
// waits for the answer, longer every time.
type authGuard struct {
	mu     sync.Mutex // guards following
	failed map[string]*authFailures
}

// authFailures are the wrong passwords of an address.
type authFailures struct {
	n    int
	last time.Time
}

const (
	freeFailures  = 5
	firstDelay    = 50 * time.Millisecond
	maxDelay      = 2 * time.Second
	forgetAfter   = time.Minute
	maxGuardHosts = 10_000
)

// failure counts a wrong password and returns how long to wait with the answer.
func (g *authGuard) failure(host string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.failed[host]
	if f == nil || now.Sub(f.last) > forgetAfter {
		if g.failed == nil || len(g.failed) >= maxGuardHosts {
			g.failed = make(map[string]*authFailures) // an attack from everywhere
		}
		f = new(authFailures)
		g.failed[host] = f
	}
	f.n++
	f.last = now
	if f.n <= freeFailures {
		return 0
	}
	return min(firstDelay<<min(f.n-freeFailures-1, 10), maxDelay)
}

// forget is called when a password was right.
func (g *authGuard) forget(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.failed, host)
}

// wrongPassword answers a failed AUTH, late if there have been many. Without
// requirepass there is nothing to guess: only the name of the user was wrong.
func (c *client) wrongPassword() {
	if c.srv.config.Load().RequirePass == "" {
		c.err(errWrongPass)
		return
	}
	delay := c.srv.guard.failure(c.host(), time.Now())
	if delay == 0 || c.inExec() {
		c.err(errWrongPass)
		return
	}
	c.srv.log.Warn("many failed AUTH", "client", c.addr, "delay", delay)
	c.park(parking{
		deadline: time.Now().Add(delay),
		resume:   func(c *client, _ bool) { c.err(errWrongPass) },
	})
}
