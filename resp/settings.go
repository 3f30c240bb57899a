package resp

// Settings are the values of every directive at one moment. A *Settings that
// Config.Load returned is never changed: a change makes a new one. Sizes are in
// bytes; a field's unit is the end of its name.
type Settings struct {
	// Network.
	Bind              []string
	Port              int64
	UnixSocket        string
	UnixSocketPerm    int64
	TCPBacklog        int64
	TCPKeepaliveSec   int64
	TimeoutSec        int64 // of an idle client; 0: never
	MaxClients        int64
	ProtectedMode     bool
	RequirePass       string
	IODriver          string // auto, epoll or net
	IOThreads         int64
	ProtoMaxBulkLen   int64
	ClientQueryLimit  int64 // bytes of one client's query buffer
	ClientOutput      [3]OutputLimit
	MaxMemoryClients  int64 // bytes over all clients; negative: percent of maxmemory
	TrackingMaxKeys   int64
	NotifyEvents      EventClass
	BusyReplyMs       int64
	Databases         int64
	DebugCommand      Access
	ProtectedConfigs  Access
	ModuleCommand     Access
	ReplicaReadOnly   bool
	ReplicaServeStale bool
	MinReplicas       int64
	MinReplicasMaxLag int64

	// Process.
	Dir               string
	LogLevel          string // debug, verbose, notice, warning or nothing
	LogFile           string // empty: standard output
	LogFormat         string // redis or json
	Supervised        string // no, systemd, auto or upstart
	PidFile           string
	Daemonize         bool
	AlwaysShowLogo    bool
	Hz                int64
	ShutdownTimeout   int64 // seconds
	ShutdownOnSigint  []string
	ShutdownOnSigterm []string
	GoGC              int64 // percent; 0: only the memory limit collects
	GoMemLimit        int64 // bytes; 0: none

	// Storage.
	AppendFsync      string // always, everysec, no or bytes
	SyncBytes        int64
	DataFileSize     int64
	IndexType        string // art or plar
	Mmap             bool
	ValueCacheSize   int64 // bytes; 0: none
	ColdReaders      int64
	Preallocate      bool
	MergeRatio       float64
	MergeDeadBytes   int64 // dead bytes at which a merge starts by itself; 0: never
	MergeRate        int64 // bytes a second; 0: no limit
	ScrubSec         int64 // between two background checks; 0: never
	ExpireEffort     int64
	MaxDisk          int64 // bytes; 0: no limit
	MaxMemory        int64
	MaxMemoryPolicy  string
	MaxMemorySamples int64
	EvictionTenacity int64
	LFULogFactor     int64
	LFUDecayMinutes  int64
	Save             []SavePoint

	// Small forms of collections.
	HashMaxEntries    int64
	HashMaxValue      int64
	ListMaxSize       int64
	ListCompressDepth int64
	SetMaxIntset      int64
	SetMaxEntries     int64
	SetMaxValue       int64
	ZSetMaxEntries    int64
	ZSetMaxValue      int64
	HLLSparseMax      int64

	// Observation.
	SlowlogSlowerThanUs int64 // negative: off
	SlowlogMaxLen       int64
	LatencyThresholdMs  int64 // 0: off
	LatencyTracking     bool
	LatencyPercentiles  []float64

	// kept holds the values of the directives that have no field here because
	// nothing reads them, by name. A changed copy of Settings has a map of its own.
	kept map[string]any
}

// OutputLimit bounds what may wait to be sent to a client of one class. 0 means
// no limit.
type OutputLimit struct {
	HardBytes int64
	SoftBytes int64
	SoftSec   int64
}

// The indexes of Settings.ClientOutput.
const (
	ClassNormal  = 0
	ClassReplica = 1
	ClassPubSub  = 2
)

// SavePoint is one pair of the save directive.
type SavePoint struct {
	Seconds int64
	Changes int64
}

// Access says who may use a dangerous command.
type Access string

// The values of enable-debug-command and its like.
const (
	AccessNo    Access = "no"
	AccessYes   Access = "yes"
	AccessLocal Access = "local" // from this machine: loopback or a unix socket
)

// EventClass is a set of keyspace event classes, as notify-keyspace-events
// spells them.
type EventClass uint32

// The classes.
const (
	EventKeyspace EventClass = 1 << iota // K
	EventKeyevent                        // E
	EventGeneric                         // g
	EventString                          // $
	EventList                            // l
	EventSet                             // s
	EventHash                            // h
	EventZSet                            // z
	EventExpired                         // x
	EventEvicted                         // e
	EventStream                          // t
	EventKeyMiss                         // m
	EventModule                          // d
	EventNew                             // n
)

// EventAll is what the letter A stands for.
const EventAll = EventGeneric | EventString | EventList | EventSet | EventHash | EventZSet |
	EventExpired | EventEvicted | EventStream | EventModule
