package resp

// handler runs one command: it parses args, calls package types and writes
// exactly one reply to c. args[0] is the command's name (the container's name
// for a subcommand, whose own name is args[1]). args are views into the read
// buffer: what is kept is copied. A handler never blocks: it replies or parks c.
type handler func(c *client, args [][]byte)

// lockMode says what a command locks around its handler. c.tx is set then.
type lockMode uint8

const (
	// lockKeys locks the shards of the keys that the row's key specs find, for
	// writing if the row has the write flag. A command without keys gets no
	// transaction: c.tx is nil.
	lockKeys lockMode = iota
	// lockAll locks every shard, as lockKeys otherwise (FLUSHALL, SWAPDB).
	lockAll
	// lockWalk gives a transaction without locks, for a command that walks the
	// keyspace one shard at a time (KEYS, SCAN). In EXEC it means lockAll.
	lockWalk
)

// binding is the part of a table row that cannot be data: the code. Everything
// else about a command (arity, flags, key specs, ACL categories, docs) is its
// object in commands.json, and nothing else decides it.
type binding struct {
	run  handler
	lock lockMode
}

// Each cmd_*.go file has one map of the names it implements ("get",
// "client|list") to bindings; table.go joins them with commands.json. A command
// of commands.json without a binding is one that Redis has and we do not.
