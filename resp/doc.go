// Package resp is the wire: connections, framing, the command table, dispatch,
// replies in RESP2 and RESP3, MULTI/EXEC, and the commands that are about the
// server and not about data. It reaches storage through package types alone.
//
// The path of a command:
//
//	driver (link.go: driver_net.go, or driver_epoll_linux.go with loop_linux.go)
//	reads bytes  ->  batch.go runs what is whole: framing.go finds one whole
//	command within its limits  ->  dispatch.go looks it up in the table
//	(command.go, commands.json), checks arity, access and state, queues it in
//	MULTI (multi.go), holds it back (pause.go) or locks its keys' shards  ->  its
//	handler (cmd_*.go) calls one method of types and writes a reply (reply.go), or
//	parks the client (park.go)  ->  commit  ->  before the replies of a batch leave
//	(output.go), the log is acknowledged up to what they depend on.
//
// # Locks
//
// A client's owner takes no lock of this package while it holds shards
// of the store, but these leaves: a client's output queue, the counters of
// errors, the set of clients, the slow log and the like, none of which is held
// while another lock is taken. Of two, the order is pauseState.mu or monitorFeed.mu,
// then parkState.mu or output.mu, then eventLoop.mu.
package resp
