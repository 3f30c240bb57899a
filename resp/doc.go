// Package resp is the wire: connections, framing, the command table, dispatch,
// replies in RESP2 and RESP3, MULTI/EXEC, and the commands that are about the
// server and not about data. It reaches storage through package types alone.
//
// The path of a command:
//
//	a driver (link.go) reads bytes  ->  batch.go runs what is whole: framing.go
//	finds one whole command within its limits  ->  dispatch.go looks it up in the
//	table (command.go, commands.json), checks arity, access and state, queues it in
//	MULTI (multi.go), holds it back (pause.go) or locks its keys' shards  ->  its
//	handler (cmd_*.go) calls one method of types and writes a reply (reply.go), or
//	parks the client (park.go)  ->  commit  ->  before the replies of a batch leave
//	(output.go), the log is acknowledged up to what they depend on.
//
// # Drivers
//
// A driver is what owns a client: what reads, runs its commands and writes, so
// that no lock is needed but for what others reach: flags, output queue, parking.
// link.go is the seam. Under the epoll driver (driver_epoll_linux.go accepts,
// loop_linux.go and link_linux.go serve) the owner is one of io-threads event
// loops, each with many clients; a command that waits parks its client, never the
// loop. Under the portable driver (driver_net.go) it is a goroutine of the client's
// own. The directive io-driver chooses; systems without epoll have the portable
// one alone (driver_other.go).
//
// # Beside the path
//
//	lookahead.go    commands that arrived together are parsed together, their keys warmed
//	cold.go         a command whose values are not in memory waits for them, parked
//	acker_linux.go  a loop's replies wait for a sync, the loop does not
//	evict.go        maxmemory and maxmemory-clients; memory.go counts what is in use
//
// # Locks
//
// A client's owner takes no lock of this package while it holds shards
// of the store, but these leaves: a client's output queue, the counters of
// errors, the set of clients, the slow log and the like, none of which is held
// while another lock is taken. Of two, the order is pauseState.mu or monitorFeed.mu,
// then parkState.mu or output.mu, then eventLoop.mu.
package resp
