// Package resp is the wire: connections, framing, the command table, dispatch,
// replies in RESP2 and RESP3, MULTI/EXEC, and the commands that are about the
// server and not about data. It reaches storage through package types alone.
//
// The path of a command:
//
//	driver (driver_net.go) reads bytes  ->  framing.go vets one whole command
//	->  redcon.ReadNextCommand splits it  ->  dispatch.go looks it up in the
//	table (command.go, commands.json), checks arity, access and state, queues it
//	in MULTI or locks its keys' shards  ->  its handler (cmd_*.go) calls one
//	method of types and writes a reply (reply.go)  ->  commit  ->  before the
//	replies of a batch leave, the log is acknowledged up to what they depend on.
package resp
