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
	// lockPatterns is lockAll if namesByPattern, else lockKeys (SORT).
	lockPatterns
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
	// member is where in args a field or member is, mostly, that the command looks for
	// in its key; 0: nowhere. It only serves to look ahead.
	member int
}

// Each cmd_*.go file has one map of the names it implements ("get",
// "client|list") to bindings; table.go joins them with commands.json. A command
// of commands.json without a binding is one that Redis has and we do not.

// cmdFlags are the flags of a row that dispatch decides by.
type cmdFlags uint32

// The flags; their names in commands.json are Redis's.
const (
	flagWrite           cmdFlags = 1 << iota // "write": changes the keyspace
	flagReadonly                             // "readonly": reads it
	flagDenyOOM                              // "denyoom": refused over maxmemory
	flagAdmin                                // "admin": not shown by MONITOR, not in the slow log
	flagPubSub                               // "pubsub"
	flagNoScript                             // "noscript"
	flagBlocking                             // "blocking": may park the client
	flagLoading                              // "loading": allowed while the data is loaded
	flagStale                                // "stale"
	flagSkipMonitor                          // "skip_monitor": not shown by MONITOR
	flagSkipSlowlog                          // "skip_slowlog": not in the slow log
	flagFast                                 // "fast": O(1) or O(log n)
	flagNoAuth                               // "no_auth": allowed before AUTH
	flagMayReplicate                         // "may_replicate"
	flagProtected                            // "protected": needs enable-debug-command or its like
	flagNoMulti                              // "no_multi": refused inside MULTI
	flagMovableKeys                          // "movablekeys": findKeys is not a range
	flagAllowBusy                            // "allow_busy"
	flagNoMandatoryKeys                      // "no_mandatory_keys"
	flagNoAsyncLoading                       // "no_async_loading"
)

// flagsWrite are the flags of commands that get a transaction for writing. PFCOUNT
// only reads, for the client, and may write the count that it found.
const flagsWrite = flagWrite | flagMayReplicate

// command is one row of the table. It never changes once the table is built.
type command struct {
	binding
	name  string // lower case; of a subcommand the whole: "client|list"
	id    int    // its index in commandTable.rows and in the statistics
	arity int    // as Redis: counts the name; -n means at least n
	flags cmdFlags

	// Where the keys are in args: args[first], every step-th up to and with
	// args[last]; a negative last counts from the end. first is 0 for a command
	// without keys. findKeys, when it is set, decides instead: it appends the
	// indexes of the keys to dst, or reports false if args make no sense.
	first, last, step int
	findKeys          func(dst []int, args [][]byte) ([]int, bool)
	oneKey            bool // args[first] is the only key, and locks its shard

	parent *command            // the container of a subcommand
	subs   map[string]*command // a container's subcommands by their own name ("list")

	doc *commandDoc // what COMMAND tells about it (table.go)
}

// commandTable is every command this server has.
type commandTable struct {
	byName map[string]*command // containers and plain commands
	index  *commandIndex       // of byName
	rows   []*command          // those and the subcommands, sorted by name
}

// keys appends to dst the indexes in args of the command's keys. It reports
// false if args make no sense to its key specs.
func (cmd *command) keys(dst []int, args [][]byte) ([]int, bool) {
	if cmd.findKeys != nil {
		return cmd.findKeys(dst, args)
	}
	if cmd.first == 0 {
		return dst, true
	}
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	if last >= len(args) || cmd.first > last {
		return dst, false
	}
	for i := cmd.first; i <= last; i += cmd.step {
		dst = append(dst, i)
	}
	return dst, true
}

// arityOK reports whether a command may have n arguments, its name included.
func (cmd *command) arityOK(n int) bool {
	if cmd.arity < 0 {
		return n >= -cmd.arity
	}
	return n == cmd.arity
}

// maxNameBytes is longer than every name of a command or subcommand.
const maxNameBytes = 32

// lookupName finds name in m, whose keys are lower case, without an allocation.
func lookupName(m map[string]*command, name []byte) *command {
	if len(name) > maxNameBytes {
		return nil
	}
	var lower [maxNameBytes]byte
	for i, ch := range name {
		if 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		lower[i] = ch
	}
	return m[string(lower[:len(name)])]
}

// lookup finds the row of a command line: the subcommand's row if args[0] is a
// container and args[1] is one of its subcommands. base is the row of args[0]
// alone, nil if there is none; cmd is nil if the line names nothing.
// REQUIRES: len(args) > 0.
func (t *commandTable) lookup(args [][]byte) (cmd, base *command) {
	if base = t.index.find(args[0]); base == nil {
		base = lookupName(t.byName, args[0])
	}
	if base == nil || base.subs == nil || len(args) == 1 {
		return base, base
	}
	return lookupName(base.subs, args[1]), base
}
