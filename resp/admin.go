package resp

import "time"

// admin is what the server remembers for SLOWLOG and LATENCY.
type admin struct{ srv *Server }

func newAdmin(s *Server) *admin { return &admin{s} }

// slow is told about every command that ran, was not hidden from the slow log,
// and took at least slowlog-log-slower-than. args are views: what is kept is
// copied.
func (a *admin) slow(c *client, args [][]byte, took time.Duration) {}

// latency is told about every event ("command", "fast-command", ...) that took
// at least latency-monitor-threshold.
func (a *admin) latency(event string, took time.Duration) {}
