package resp

import (
	"errors"
	"math"
	"strings"

	"bitkv/types"
)

// directive is one row of the configuration: what a line of the file, a flag of
// the command line, an environment variable, CONFIG GET and CONFIG SET name.
// Everything said about directives anywhere, docs/configuration.md included, is
// derived from these rows.
type directive struct {
	name    string
	aliases []string
	kind    kind
	def     string // the default, as in a file
	access  access // zero: kept, and read by nothing
	flags   directiveFlags
	doc     string // what it does, or, if it has no effect, why
}

type directiveFlags uint16

const (
	// immutable: set at start only.
	immutable directiveFlags = 1 << iota
	// startOnly: as immutable, but CONFIG SET takes the value that it has: Redis
	// can change it at run time, or does not know it, and tools write back all
	// that CONFIG GET gave them.
	startOnly
	// protected: CONFIG SET needs enable-protected-configs.
	protected
	// denyLoading: CONFIG SET answers -LOADING while the database loads.
	denyLoading
	// sensitive: the value is a secret and is not shown in logs.
	sensitive
	// manyWords: the value is several words; CONFIG SET splits its argument.
	manyWords
	// adding: a second line of a file adds to the first.
	adding
	// hidden: CONFIG GET answers the exact name alone.
	hidden
	// inert: known to Redis; kept and answered here, but without effect.
	inert
	// refused: inert, and a value other than the default is refused, because
	// whoever sets it relies on what it does.
	refused
)

func (d *directive) has(f directiveFlags) bool { return d.flags&f != 0 }

const (
	maxInt   = math.MaxInt64
	maxInt32 = math.MaxInt32
)

// directives are all rows: those with effect, by subject, then the others.
var directives = joinDirectives(networkDirectives, processDirectives, storageDirectives,
	memoryDirectives, typeDirectives, observeDirectives, inertDirectives)

// directiveByName finds a row by its name or an alias, in lower case.
var directiveByName = indexDirectives(directives)

func joinDirectives(groups ...[]directive) []*directive {
	var all []*directive
	for _, g := range groups {
		for i := range g {
			d := &g[i]
			if d.access.load == nil {
				d.access = keptValue(d.name)
			}
			all = append(all, d)
		}
	}
	return all
}

func indexDirectives(all []*directive) map[string]*directive {
	byName := make(map[string]*directive, len(all))
	for _, d := range all {
		for _, name := range append([]string{d.name}, d.aliases...) {
			if byName[name] != nil {
				panic("resp: two directives named " + name)
			}
			byName[name] = d
		}
	}
	return byName
}

// findDirective returns the row of a name in any case, or nil.
func findDirective(name string) *directive { return directiveByName[strings.ToLower(name)] }

var accessWords = oneOf("no", "yes", "local")

var networkDirectives = []directive{
	{
		name: "bind", kind: bindKind{}, def: "* -::*", flags: manyWords,
		access: field(func(s *Settings) *[]string { return &s.Bind }),
		doc:    "Addresses to listen on. Without a password, protected-mode admits clients of this machine alone.",
	},
	{
		name: "port", kind: intKind{0, 65535}, def: "6379",
		access: field(func(s *Settings) *int64 { return &s.Port }),
		doc:    "TCP port; 0 means none.",
	},
	{
		name: "unixsocket", kind: stringKind{says: "a path"}, flags: immutable,
		access: field(func(s *Settings) *string { return &s.UnixSocket }),
		doc:    "Path of a unix socket to listen on as well; empty means none.",
	},
	{
		name: "unixsocketperm", kind: octalKind{0o777}, def: "0", flags: immutable,
		access: field(func(s *Settings) *int64 { return &s.UnixSocketPerm }),
		doc:    "Mode of the unix socket; 0 leaves what the umask gives.",
	},
	{
		name: "tcp-backlog", kind: intKind{0, maxInt32}, def: "511", flags: immutable,
		access: field(func(s *Settings) *int64 { return &s.TCPBacklog }),
		doc:    "Connections the kernel may hold before they are accepted. The system's own limit (somaxconn) is used.",
	},
	{
		name: "tcp-keepalive", kind: intKind{0, maxInt32}, def: "300",
		access: field(func(s *Settings) *int64 { return &s.TCPKeepaliveSec }),
		doc:    "Seconds between TCP keep-alive probes of new connections; 0 turns them off.",
	},
	{
		name: "timeout", kind: intKind{0, maxInt32}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.TimeoutSec }),
		doc:    "Seconds after which an idle client is disconnected; 0 means never.",
	},
	{
		name: "maxclients", kind: intKind{1, math.MaxUint32}, def: "10000",
		access: field(func(s *Settings) *int64 { return &s.MaxClients }),
		doc:    "Connections at one time. Lowered if the limit of open files does not allow it.",
	},
	{
		name: "protected-mode", kind: boolKind{}, def: "yes",
		access: field(func(s *Settings) *bool { return &s.ProtectedMode }),
		doc:    "Without a password, refuse clients from other machines.",
	},
	{
		name: "requirepass", kind: stringKind{}, flags: sensitive,
		access: field(func(s *Settings) *string { return &s.RequirePass }),
		doc:    "Password of the default user; empty means none.",
	},
	{
		name: "io-driver", kind: oneOf(driverAuto, driverEpoll, driverNet), def: driverAuto, flags: startOnly,
		access: field(func(s *Settings) *string { return &s.IODriver }),
		doc:    "What serves plain TCP and unix sockets: event loops (epoll), where there is epoll, or a goroutine per connection (net). (bitkv's own.)",
	},
	{
		name: "io-threads", kind: intKind{1, 128}, def: "1", flags: immutable,
		access: field(func(s *Settings) *int64 { return &s.IOThreads }),
		doc:    "Event loops of the epoll driver, each on a thread of its own. The portable driver does not use it.",
	},
	{
		name: "proto-max-bulk-len", kind: memoryKind{1 << 20, maxInt, false}, def: "512mb",
		access: field(func(s *Settings) *int64 { return &s.ProtoMaxBulkLen }),
		doc:    "Longest argument of a command, and longest string value.",
	},
	{
		name: "client-query-buffer-limit", kind: memoryKind{1 << 20, maxInt, false}, def: "1gb",
		access: field(func(s *Settings) *int64 { return &s.ClientQueryLimit }),
		doc:    "Longest command, all arguments together.",
	},
	{
		name: "client-output-buffer-limit", kind: outputKind{}, flags: manyWords,
		def:    "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
		access: field(func(s *Settings) *[3]OutputLimit { return &s.ClientOutput }),
		doc:    "When a client that does not read its replies is disconnected: over the hard limit at once, over the soft limit after that many seconds.",
	},
	{
		name: "databases", kind: intKind{1, types.MaxDatabases}, def: "16", flags: immutable,
		access: field(func(s *Settings) *int64 { return &s.Databases }),
		doc:    "Number of databases. A smaller number than before is refused if it would hide keys.",
	},
	{
		name: "busy-reply-threshold", aliases: []string{"lua-time-limit"}, kind: intKind{0, maxInt}, def: "5000",
		access: field(func(s *Settings) *int64 { return &s.BusyReplyMs }),
		doc:    "Milliseconds after which a running script lets others be answered with -BUSY. There are no scripts yet.",
		flags:  inert,
	},
	{
		name: "enable-debug-command", kind: accessWords, def: "no", flags: immutable,
		access: word(func(s *Settings) *Access { return &s.DebugCommand }),
		doc:    "Who may use DEBUG; local: clients of this machine. DEBUG RELOAD and LOADAOF force everything to the disk; they do not read it again.",
	},
	{
		name: "enable-protected-configs", kind: accessWords, def: "no", flags: immutable,
		access: word(func(s *Settings) *Access { return &s.ProtectedConfigs }),
		doc:    "Who may change protected directives at run time.",
	},
	{
		name: "enable-module-command", kind: accessWords, def: "no", flags: immutable | inert,
		access: word(func(s *Settings) *Access { return &s.ModuleCommand }),
		doc:    noModules,
	},
	{
		name: "min-replicas-to-write", aliases: []string{"min-slaves-to-write"}, kind: intKind{0, maxInt32}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.MinReplicas }),
		doc:    "Replication is not built yet, and writes are not refused for want of replicas.", flags: inert,
	},
	{
		name: "min-replicas-max-lag", aliases: []string{"min-slaves-max-lag"}, kind: intKind{0, maxInt32}, def: "10",
		access: field(func(s *Settings) *int64 { return &s.MinReplicasMaxLag }),
		doc:    "Replication is not built yet.", flags: inert,
	},
}

var processDirectives = []directive{
	{
		name: "dir", kind: stringKind{says: "a path"}, def: "data", flags: protected | denyLoading | startOnly,
		access: field(func(s *Settings) *string { return &s.Dir }),
		doc:    "Directory of the data files; made if it is missing. CONFIG GET prints it absolute.",
	},
	{
		name: "loglevel", kind: oneOf("debug", "verbose", "notice", "warning", "nothing"), def: "notice",
		access: field(func(s *Settings) *string { return &s.LogLevel }),
		doc:    "The least important messages that are logged.",
	},
	{
		name: "logfile", kind: stringKind{says: "a path"}, flags: immutable,
		access: field(func(s *Settings) *string { return &s.LogFile }),
		doc:    "File that the log is appended to; empty means standard output.",
	},
	{
		name: "log-format", kind: oneOf("redis", "json"), def: "redis", flags: startOnly,
		access: field(func(s *Settings) *string { return &s.LogFormat }),
		doc:    "redis: lines as Redis writes them; json: one object a line. (bitkv's own.)",
	},
	{
		name: "pidfile", kind: stringKind{says: "a path"}, flags: immutable,
		access: field(func(s *Settings) *string { return &s.PidFile }),
		doc:    "File that holds the process number while the server runs; empty means none. One that cannot be written is said in the log.",
	},
	{
		name: "daemonize", kind: boolKind{}, def: "no", flags: immutable,
		access: field(func(s *Settings) *bool { return &s.Daemonize }),
		doc:    "Go on in the background. The command ends when the server is ready, or with its error. Give it a logfile, or what it logs is lost.",
	},
	{
		name: "supervised", kind: oneOf("upstart", "systemd", "auto", "no"), def: "no", flags: immutable,
		access: field(func(s *Settings) *string { return &s.Supervised }),
		doc:    "systemd or auto: tell the service manager that asked for it (Type=notify) when the server is ready and when it stops.",
	},
	{
		name: "always-show-logo", kind: boolKind{}, def: "no", flags: immutable,
		access: field(func(s *Settings) *bool { return &s.AlwaysShowLogo }),
		doc:    "Print the banner even if the log is no terminal.",
	},
	{
		name: "hz", kind: intKind{0, maxInt32}, def: "10",
		access: field(func(s *Settings) *int64 { return &s.Hz }),
		doc:    "How often a second background duties run; kept within 1 and 500.",
	},
	{
		name: "shutdown-timeout", kind: intKind{0, maxInt32}, def: "10", flags: inert,
		access: field(func(s *Settings) *int64 { return &s.ShutdownTimeout }),
		doc:    "Seconds that a shutdown waits for lagging replicas; there are none yet.",
	},
	{
		name: "shutdown-on-sigint", kind: shutdownWords, def: "default", flags: manyWords,
		access: field(func(s *Settings) *[]string { return &s.ShutdownOnSigint }),
		doc:    "Options of the SHUTDOWN that SIGINT means. Data is synced whatever they are.",
	},
	{
		name: "shutdown-on-sigterm", kind: shutdownWords, def: "default", flags: manyWords,
		access: field(func(s *Settings) *[]string { return &s.ShutdownOnSigterm }),
		doc:    "As shutdown-on-sigint, for SIGTERM.",
	},
	{
		name: "gogc", kind: intKind{0, 100000}, def: "15",
		access: field(func(s *Settings) *int64 { return &s.GoGC }),
		doc:    "Growth of the heap, in percent, at which the garbage collector runs, but never below 32 MB; 0: only when go-memlimit asks for it. The keydir has no pointers, so that a low value costs little. While the data is loaded it is 100 at least. (bitkv's own.)",
	},
	{
		name: "go-memlimit", kind: memoryKind{0, maxInt, false}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.GoMemLimit }),
		doc:    "Memory that the garbage collector tries to stay under; 0: what follows from maxmemory (a quarter more, at least 128 MB), or GOMEMLIMIT of the environment if that is 0, too. (bitkv's own.)",
	},
}

var shutdownWords = wordsKind{
	oneOf("default", "save", "nosave", "now", "force"),
	[2]string{"save", "nosave"},
	"shutdown options SAVE and NOSAVE can't be used simultaneously",
}

var storageDirectives = []directive{
	{
		name: "appendfsync", kind: oneOf("everysec", "always", "no", "bytes"), def: "everysec",
		access: field(func(s *Settings) *string { return &s.AppendFsync }),
		doc:    "When writes are forced to the disk. always: before they are acknowledged; everysec; no: left to the system; bytes: every sync-bytes bytes. See docs/durability.md.",
	},
	{
		name: "sync-bytes", kind: memoryKind{1, maxInt, false}, def: "1mb", flags: startOnly,
		access: field(func(s *Settings) *int64 { return &s.SyncBytes }),
		doc:    "The distance of appendfsync bytes. (bitkv's own.)",
	},
	{
		name: "data-file-size", kind: memoryKind{4 << 10, 2 << 30, false}, def: "128mb", flags: startOnly,
		access: field(func(s *Settings) *int64 { return &s.DataFileSize }),
		doc:    "Size at which a data file is sealed and the next one begun. The smaller, the less room a merge takes meanwhile. (bitkv's own.)",
	},
	{
		name: "index-type", kind: oneOf("art", "plar"), def: "art", flags: startOnly,
		access: field(func(s *Settings) *string { return &s.IndexType }),
		doc:    "Implementation of the keydir's first level. (bitkv's own.)",
	},
	{
		name: "mmap", kind: boolKind{}, def: "yes", flags: startOnly,
		access: field(func(s *Settings) *bool { return &s.Mmap }),
		doc:    "Read immutable data files through memory maps. (bitkv's own.)",
	},
	{
		name: "preallocate", kind: boolKind{}, def: "yes", flags: startOnly,
		access: field(func(s *Settings) *bool { return &s.Preallocate }),
		doc:    "Reserve disk space ahead of the active data file. (bitkv's own.)",
	},
	{
		name: "value-cache-size", kind: memoryKind{0, maxInt, false}, def: "64mb",
		access: field(func(s *Settings) *int64 { return &s.ValueCacheSize }),
		doc:    "Memory, at most, for values that had to be read from the disk; it is taken as they are, and no more than an eighth of maxmemory. 0 means none. See docs/larger-than-memory.md. (bitkv's own.)",
	},
	{
		name: "cold-readers", kind: intKind{1, 4096}, def: "32",
		access: field(func(s *Settings) *int64 { return &s.ColdReaders }),
		doc:    "How many reads of values that are not in memory the disk is given at a time. See docs/larger-than-memory.md. (bitkv's own.)",
	},
	{
		name: "merge-ratio", kind: floatKind{0, 1}, def: "0.5", flags: startOnly,
		access: field(func(s *Settings) *float64 { return &s.MergeRatio }),
		doc:    "Share of dead bytes at which an immutable data file is merged. When all of them together have half of it, those with the most are merged, until they have not. (bitkv's own.)",
	},
	{
		name: "merge-dead-bytes", kind: memoryKind{0, maxInt, false}, def: "64mb", flags: startOnly,
		access: field(func(s *Settings) *int64 { return &s.MergeDeadBytes }),
		doc:    "Dead bytes at which a merge starts by itself; 0 means never. Until there are twice as many it leaves alone files that lose a tenth of their live records in a second. (bitkv's own.)",
	},
	{
		name: "merge-rate", kind: memoryKind{0, maxInt, false}, def: "64mb", flags: startOnly,
		access: field(func(s *Settings) *int64 { return &s.MergeRate }),
		doc:    "Bytes a second that a merge writes at most; 0 means no limit. (bitkv's own.)",
	},
	{
		name: "scrub-interval", kind: intKind{0, maxInt32}, def: "604800", flags: startOnly,
		access: field(func(s *Settings) *int64 { return &s.ScrubSec }),
		doc:    "Seconds between two background checks of the immutable data files, each read up to its first damage; 0 means never. (bitkv's own.)",
	},
	{
		name: "active-expire-effort", kind: intKind{1, 10}, def: "1", flags: inert,
		access: field(func(s *Settings) *int64 { return &s.ExpireEffort }),
		doc:    "Expired keys are found in order of time, not by sampling, so none is missed at any effort.",
	},
	{
		name: "maxdisk", kind: memoryKind{0, maxInt, false}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.MaxDisk }),
		doc:    "Bytes that the data directory may take on the disk, room that is reserved for the log (up to about 50 MB) included; 0 means no limit. At the limit commands that may add data are refused; deleting keys and merges go on, and merges start with less garbage. (bitkv's own.)",
	},
	{
		name: "save", kind: saveKind{}, def: "3600 1 300 100 60 10000", flags: manyWords | adding | inert,
		access: field(func(s *Settings) *[]SavePoint { return &s.Save }),
		doc:    "Every write is in the log when it is acknowledged; there are no snapshots to schedule.",
	},
}

var policies = oneOf("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction")

var memoryDirectives = []directive{
	{
		name: "maxmemory", kind: memoryKind{0, maxInt, false}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.MaxMemory }),
		doc:    "Memory in use (used_memory, less mem_not_counted_for_evict) above which keys are evicted, or writes refused; 0 means no limit. Values are on disk and do not count. Unless go-memlimit is set, the garbage collector is told to stay near it.",
	},
	{
		name: "maxmemory-policy", kind: policies, def: "noeviction",
		access: word(func(s *Settings) *string { return &s.MaxMemoryPolicy }),
		doc:    "Which keys go when memory is over maxmemory: any or those that expire; those not used for the longest time, used least, expiring first, or at random. The lfu policies make OBJECT FREQ answer, all others OBJECT IDLETIME.",
	},
	{
		name: "maxmemory-samples", kind: intKind{1, maxInt32}, def: "5",
		access: field(func(s *Settings) *int64 { return &s.MaxMemorySamples }),
		doc:    "How many keys are looked at for one eviction: more choose better, and take longer.",
	},
	{
		name: "maxmemory-eviction-tenacity", kind: intKind{0, 100}, def: "10",
		access: field(func(s *Settings) *int64 { return &s.EvictionTenacity }),
		doc:    "For how long a command may be held up by evictions before the rest is left to the background: 10 is 500 microseconds, 100 no limit.",
	},
	{
		name: "maxmemory-clients", kind: memoryKind{-100, maxInt, true}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.MaxMemoryClients }),
		doc:    "Memory of all clients together above which those that hold the most are disconnected; a percentage is of maxmemory; 0 means no limit. It is looked at ten times a second.",
	},
	{
		name: "lfu-log-factor", kind: intKind{0, maxInt32}, def: "10",
		access: field(func(s *Settings) *int64 { return &s.LFULogFactor }),
		doc:    "How slowly the LFU counter of a key saturates.",
	},
	{
		name: "lfu-decay-time", kind: intKind{0, maxInt32}, def: "1",
		access: field(func(s *Settings) *int64 { return &s.LFUDecayMinutes }),
		doc:    "Minutes after which the LFU counter of a key loses one.",
	},
	{
		name: "tracking-table-max-keys", kind: intKind{0, maxInt}, def: "1000000", flags: inert,
		access: field(func(s *Settings) *int64 { return &s.TrackingMaxKeys }),
		doc:    "CLIENT TRACKING is not built yet.",
	},
}

const (
	encodingEntries = "Up to so many entries the encoding is the compact one, and the value may be kept in one record."
	encodingValue   = "Longer ones change what OBJECT ENCODING says."
)

var typeDirectives = []directive{
	{
		name: "hash-max-listpack-entries", aliases: []string{"hash-max-ziplist-entries"},
		kind: intKind{0, maxInt}, def: "512", doc: encodingEntries,
		access: field(func(s *Settings) *int64 { return &s.HashMaxEntries }),
	},
	{
		name: "hash-max-listpack-value", aliases: []string{"hash-max-ziplist-value"},
		kind: memoryKind{0, maxInt, false}, def: "64", doc: encodingValue,
		access: field(func(s *Settings) *int64 { return &s.HashMaxValue }),
	},
	{
		name: "list-max-listpack-size", aliases: []string{"list-max-ziplist-size"},
		kind: intKind{math.MinInt32, maxInt32}, def: "-2", doc: "A positive number bounds the lists that may be kept in one record.",
		access: field(func(s *Settings) *int64 { return &s.ListMaxSize }),
	},
	{
		name: "list-compress-depth", kind: intKind{0, maxInt32}, def: "0", flags: inert, doc: "Nothing is compressed in memory.",
		access: field(func(s *Settings) *int64 { return &s.ListCompressDepth }),
	},
	{
		name: "set-max-intset-entries", kind: intKind{0, maxInt}, def: "512", doc: encodingEntries,
		access: field(func(s *Settings) *int64 { return &s.SetMaxIntset }),
	},
	{
		name: "set-max-listpack-entries", kind: intKind{0, maxInt}, def: "128", doc: "Up to so many members a set may be kept in one record.",
		access: field(func(s *Settings) *int64 { return &s.SetMaxEntries }),
	},
	{
		name: "set-max-listpack-value", kind: memoryKind{0, maxInt, false}, def: "64", flags: inert, doc: "The small form of a set does not depend on it.",
		access: field(func(s *Settings) *int64 { return &s.SetMaxValue }),
	},
	{
		name: "zset-max-listpack-entries", aliases: []string{"zset-max-ziplist-entries"},
		kind: intKind{0, maxInt}, def: "128", doc: encodingEntries,
		access: field(func(s *Settings) *int64 { return &s.ZSetMaxEntries }),
	},
	{
		name: "zset-max-listpack-value", aliases: []string{"zset-max-ziplist-value"},
		kind: memoryKind{0, maxInt, false}, def: "64", doc: encodingValue,
		access: field(func(s *Settings) *int64 { return &s.ZSetMaxValue }),
	},
	{
		name: "hll-sparse-max-bytes", kind: memoryKind{0, maxInt, false}, def: "3000",
		access: field(func(s *Settings) *int64 { return &s.HLLSparseMax }),
		doc:    "A HyperLogLog that would become longer in the sparse encoding gets the dense one, which has 12304 bytes.",
	},
}

var observeDirectives = []directive{
	{
		name: "slowlog-log-slower-than", kind: intKind{-1, maxInt}, def: "10000",
		access: field(func(s *Settings) *int64 { return &s.SlowlogSlowerThanUs }),
		doc:    "Microseconds from which a command is put into the slow log; -1 means never.",
	},
	{
		name: "slowlog-max-len", kind: intKind{0, maxInt}, def: "128",
		access: field(func(s *Settings) *int64 { return &s.SlowlogMaxLen }),
		doc:    "Entries of the slow log.",
	},
	{
		name: "latency-monitor-threshold", kind: intKind{0, maxInt}, def: "0",
		access: field(func(s *Settings) *int64 { return &s.LatencyThresholdMs }),
		doc:    "Milliseconds from which an event is kept for LATENCY; 0 turns the monitor off.",
	},
	{
		name: "latency-tracking", kind: boolKind{}, def: "yes",
		access: field(func(s *Settings) *bool { return &s.LatencyTracking }),
		doc:    "Keep a latency histogram for each command.",
	},
	{
		name: "latency-tracking-info-percentiles", kind: percentilesKind{}, def: "50 99 99.9", flags: manyWords,
		access: field(func(s *Settings) *[]float64 { return &s.LatencyPercentiles }),
		doc:    "Percentiles of those histograms that INFO latencystats prints.",
	},
	{
		name: "notify-keyspace-events", kind: eventsKind{}, flags: inert,
		access: field(func(s *Settings) *EventClass { return &s.NotifyEvents }),
		doc:    "Publish/subscribe is not built yet.",
	},
}

// plainName refuses a path where a name is wanted.
func plainName(reason string) func(string) error {
	return func(s string) error {
		if strings.Contains(s, "/") {
			return errors.New(reason)
		}
		return nil
	}
}
