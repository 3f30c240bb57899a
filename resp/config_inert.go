package resp

import (
	"errors"
	"math"
	"strings"
)

// Reasons why a directive of Redis has no effect here.
const (
	noReplication = "Replication is not built yet."
	noCluster     = "Cluster mode is not built yet."
	noRDB         = "There are no RDB snapshots; every write is in the log when it is acknowledged."
	noAOF         = "There is no append-only file to rewrite; see merge-ratio, merge-dead-bytes and merge-rate."
	noDefrag      = "Memory is Go's, not jemalloc's; there is no defragmenter."
	noTLS         = "TLS is not built yet."
	noStreams     = "Streams are not built yet."
	noACL         = "ACL users are not built yet."
	noModules     = "Modules written for Redis cannot be loaded."
	lazyAlways    = "Memory of removed values is always given back in the background."
	noCPULists    = "The Go scheduler places its threads."
	noSyslog      = "The log goes to standard output or to a file."
)

// kept is a row that is answered but read by nothing.
func kept(name string, k kind, def, why string, f directiveFlags, aliases ...string) directive {
	return directive{name: name, aliases: aliases, kind: k, def: def, doc: why, flags: f | inert}
}

var (
	anyText  = stringKind{}
	anyBool  = boolKind{}
	anyInt32 = intKind{0, maxInt32}
	aPort    = intKind{0, 65535}
	anyBytes = memoryKind{0, maxInt, false}
)

// titleTemplate refuses a process title that is empty or has variables that do not
// exist.
func titleTemplate(s string) error {
	bad := errors.New("template format is invalid or contains unknown variables")
	if s == "" {
		return bad
	}
	for {
		_, rest, open := strings.Cut(s, "{")
		if !open {
			return nil
		}
		name, after, closed := strings.Cut(rest, "}")
		switch name {
		case "title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file":
		default:
			closed = false
		}
		if !closed {
			return bad
		}
		s = after
	}
}

// hostName refuses what could not be the name of a host.
func hostName(s string) error {
	if len(s) >= 256 {
		return badValue("Hostnames must be less than 256 characters")
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	if strings.Trim(s, letters) != "" {
		return badValue("Hostnames may only contain alphanumeric characters, hyphens or dots")
	}
	return nil
}

var inertDirectives = concat(snapshotRows, replicationRows, clusterRows, tlsRows, otherRows)

func concat(groups ...[]directive) []directive {
	var all []directive
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

var snapshotRows = []directive{
	kept("dbfilename", stringKind{check: plainName("dbfilename can't be a path, just a filename")},
		"dump.rdb", noRDB, protected),
	kept("rdbcompression", anyBool, "yes", noRDB, 0),
	kept("rdbchecksum", anyBool, "yes", noRDB+" Every record of the log has a checksum.", immutable),
	kept("rdb-del-sync-files", anyBool, "no", noRDB, 0),
	kept("rdb-save-incremental-fsync", anyBool, "yes", noRDB, 0),
	kept("rdb-key-save-delay", intKind{math.MinInt32, maxInt32}, "0", noRDB, hidden),
	kept("key-load-delay", intKind{math.MinInt32, maxInt32}, "0", noRDB, hidden),
	kept("stop-writes-on-bgsave-error", anyBool, "yes", "Writes are refused whenever the log cannot take them, and again taken when it can.", 0),
	kept("sanitize-dump-payload", oneOf("no", "yes", "clients"), "no", "Payloads are always checked in full.", 0),
	kept("appendonly", anyBool, "yes", "The log is always on.", denyLoading),
	kept("appendfilename", stringKind{check: plainName("appendfilename can't be a path, just a filename")},
		"appendonly.aof", "Data files name themselves.", immutable),
	kept("appenddirname", stringKind{check: plainName("appenddirname can't be a path, just a dirname")},
		"appendonlydir", "Data files are in dir itself.", immutable),
	kept("no-appendfsync-on-rewrite", anyBool, "no", "A merge does not hold up the log's syncs.", 0),
	kept("auto-aof-rewrite-percentage", anyInt32, "100", noAOF, 0),
	kept("auto-aof-rewrite-min-size", anyBytes, "64mb", noAOF, 0),
	kept("aof-load-truncated", anyBool, "yes", "A torn end of the log is always cut, and said so; damage anywhere else is refused.", 0),
	kept("aof-use-rdb-preamble", anyBool, "yes", noAOF, 0),
	kept("aof-timestamp-enabled", anyBool, "no", noAOF, 0),
	kept("aof-disable-auto-gc", anyBool, "no", noAOF, 0),
	kept("aof-rewrite-incremental-fsync", anyBool, "yes", noAOF, 0),
	kept("loading-process-events-interval-bytes", intKind{1024, maxInt32}, "2097152", "Connections are served beside the loading.", hidden),
}

var replicationRows = []directive{
	kept("replicaof", pairKind{}, "", noReplication, immutable|manyWords|refused, "slaveof"),
	kept("masterauth", anyText, "", noReplication, sensitive),
	kept("masteruser", anyText, "", noReplication, sensitive),
	kept("replica-read-only", anyBool, "yes", noReplication, 0, "slave-read-only"),
	kept("replica-serve-stale-data", anyBool, "yes", noReplication, 0, "slave-serve-stale-data"),
	kept("replica-lazy-flush", anyBool, "no", noReplication, 0, "slave-lazy-flush"),
	kept("replica-ignore-maxmemory", anyBool, "yes", noReplication, 0, "slave-ignore-maxmemory"),
	kept("replica-ignore-disk-write-errors", anyBool, "no", noReplication, 0),
	kept("replica-announced", anyBool, "yes", noReplication, 0),
	kept("replica-announce-ip", anyText, "", noReplication, 0, "slave-announce-ip"),
	kept("replica-announce-port", aPort, "0", noReplication, 0, "slave-announce-port"),
	kept("replica-priority", anyInt32, "100", noReplication, 0, "slave-priority"),
	kept("repl-disable-tcp-nodelay", anyBool, "no", noReplication, 0),
	kept("repl-diskless-sync", anyBool, "yes", noReplication, 0),
	kept("repl-diskless-sync-delay", anyInt32, "5", noReplication, 0),
	kept("repl-diskless-sync-max-replicas", anyInt32, "0", noReplication, 0),
	kept("repl-diskless-load", oneOf("disabled", "on-empty-db", "swapdb"), "disabled", noReplication, denyLoading),
	kept("repl-ping-replica-period", intKind{1, maxInt32}, "10", noReplication, 0, "repl-ping-slave-period"),
	kept("repl-timeout", intKind{1, maxInt32}, "60", noReplication, 0),
	kept("repl-backlog-size", memoryKind{1, maxInt, false}, "1mb", noReplication, 0),
	kept("repl-backlog-ttl", intKind{0, maxInt}, "3600", noReplication, 0),
	kept("propagation-error-behavior", oneOf("ignore", "panic", "panic-on-replicas"), "ignore", noReplication, 0),
}

var clusterRows = []directive{
	kept("cluster-enabled", anyBool, "no", noCluster, immutable|refused),
	kept("cluster-config-file", anyText, "nodes.conf", noCluster, immutable),
	kept("cluster-port", aPort, "0", noCluster, immutable),
	kept("cluster-node-timeout", intKind{0, maxInt}, "15000", noCluster, 0),
	kept("cluster-migration-barrier", anyInt32, "1", noCluster, 0),
	kept("cluster-replica-validity-factor", anyInt32, "10", noCluster, 0, "cluster-slave-validity-factor"),
	kept("cluster-replica-no-failover", anyBool, "no", noCluster, 0, "cluster-slave-no-failover"),
	kept("cluster-require-full-coverage", anyBool, "yes", noCluster, 0),
	kept("cluster-allow-reads-when-down", anyBool, "no", noCluster, 0),
	kept("cluster-allow-pubsubshard-when-down", anyBool, "yes", noCluster, 0),
	kept("cluster-allow-replica-migration", anyBool, "yes", noCluster, 0),
	kept("cluster-announce-ip", anyText, "", noCluster, 0),
	kept("cluster-announce-hostname", stringKind{check: hostName}, "", noCluster, 0),
	kept("cluster-announce-human-nodename", anyText, "", noCluster, 0),
	kept("cluster-announce-port", aPort, "0", noCluster, 0),
	kept("cluster-announce-bus-port", aPort, "0", noCluster, 0),
	kept("cluster-announce-tls-port", aPort, "0", noCluster, 0),
	kept("cluster-link-sendbuf-limit", anyBytes, "0", noCluster, 0),
	kept("cluster-preferred-endpoint-type", oneOf("ip", "hostname", "unknown-endpoint"), "ip", noCluster, 0),
}

var tlsRows = []directive{
	kept("tls-port", aPort, "0", noTLS, refused),
	kept("tls-cert-file", anyText, "", noTLS, refused),
	kept("tls-key-file", anyText, "", noTLS, refused),
	kept("tls-key-file-pass", anyText, "", noTLS, refused|sensitive),
	kept("tls-client-cert-file", anyText, "", noTLS, refused),
	kept("tls-client-key-file", anyText, "", noTLS, refused),
	kept("tls-client-key-file-pass", anyText, "", noTLS, refused|sensitive),
	kept("tls-dh-params-file", anyText, "", noTLS, refused),
	kept("tls-ca-cert-file", anyText, "", noTLS, refused),
	kept("tls-ca-cert-dir", anyText, "", noTLS, refused),
	kept("tls-auth-clients", oneOf("no", "yes", "optional"), "yes", noTLS, 0),
	kept("tls-replication", anyBool, "no", noTLS, refused),
	kept("tls-cluster", anyBool, "no", noTLS, refused),
	kept("tls-protocols", anyText, "", noTLS, 0),
	kept("tls-ciphers", anyText, "", noTLS, 0),
	kept("tls-ciphersuites", anyText, "", noTLS, 0),
	kept("tls-prefer-server-ciphers", anyBool, "no", noTLS, 0),
	kept("tls-session-caching", anyBool, "yes", noTLS, 0),
	kept("tls-session-cache-size", anyInt32, "20480", noTLS, 0),
	kept("tls-session-cache-timeout", anyInt32, "300", noTLS, 0),
}

var otherRows = []directive{
	kept("aclfile", anyText, "", noACL, immutable|refused),
	kept("acllog-max-len", intKind{0, maxInt}, "128", noACL, 0),
	kept("acl-pubsub-default", oneOf("allchannels", "resetchannels"), "resetchannels", noACL, 0),
	kept("syslog-enabled", anyBool, "no", noSyslog, immutable),
	kept("syslog-ident", anyText, "redis", noSyslog, immutable),
	kept("syslog-facility", oneOf("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
		"local0", noSyslog, immutable),
	kept("set-proc-title", anyBool, "yes", "A Go process keeps its title.", immutable),
	kept("proc-title-template", stringKind{check: titleTemplate}, "{title} {listen-addr} {server-mode}", "A Go process keeps its title.", 0),
	kept("locale-collate", anyText, "", "Strings are compared as bytes.", 0),
	kept("crash-log-enabled", anyBool, "yes", "A crash prints Go's stack traces.", 0),
	kept("crash-memcheck-enabled", anyBool, "yes", "A crash prints Go's stack traces.", 0),
	kept("use-exit-on-panic", anyBool, "no", "A crash prints Go's stack traces.", hidden),
	kept("watchdog-period", anyInt32, "0", "There is no software watchdog.", hidden),
	kept("ignore-warnings", anyText, "", "There are no such warnings.", 0),
	kept("disable-thp", anyBool, "yes", "The process does not fork, so huge pages do no harm.", immutable),
	kept("oom-score-adj", enumKind{
		words:    []string{"no", "yes", "relative", "absolute"},
		synonyms: map[string]string{"yes": "relative"},
	}, "no", "Left to the supervisor.", 0),
	kept("oom-score-adj-values", oomKind{}, "0 200 800", "Left to the supervisor.", manyWords),
	kept("bind-source-addr", anyText, "", "No outgoing connections are made.", 0),
	kept("socket-mark-id", anyInt32, "0", "Left to the system.", immutable),
	kept("dynamic-hz", anyBool, "yes", "Background duties do not depend on the number of clients.", 0),
	kept("io-threads-do-reads", anyBool, "no", "Every connection reads for itself.", immutable),
	kept("max-new-connections-per-cycle", intKind{1, 1000}, "10", "Connections are accepted beside commands.", 0),
	kept("max-new-tls-connections-per-cycle", intKind{1, 1000}, "1", noTLS, 0),
	kept("activerehashing", anyBool, "yes", "The keydir is a tree and is never rehashed.", 0),
	kept("hide-user-data-from-log", anyBool, "no", "Values are never logged.", 0),
	kept("lazyfree-lazy-eviction", anyBool, "no", lazyAlways, 0),
	kept("lazyfree-lazy-expire", anyBool, "no", lazyAlways, 0),
	kept("lazyfree-lazy-server-del", anyBool, "no", lazyAlways, 0),
	kept("lazyfree-lazy-user-del", anyBool, "no", lazyAlways, 0),
	kept("lazyfree-lazy-user-flush", anyBool, "no", lazyAlways, 0),
	kept("activedefrag", anyBool, "no", noDefrag+" CONFIG SET refuses it, as a Redis without jemalloc does.", 0),
	kept("active-defrag-ignore-bytes", memoryKind{1, maxInt, false}, "100mb", noDefrag, 0),
	kept("active-defrag-threshold-lower", intKind{0, 1000}, "10", noDefrag, 0),
	kept("active-defrag-threshold-upper", intKind{0, 1000}, "100", noDefrag, 0),
	kept("active-defrag-cycle-min", intKind{1, 99}, "1", noDefrag, 0),
	kept("active-defrag-cycle-max", intKind{1, 99}, "25", noDefrag, 0),
	kept("active-defrag-max-scan-fields", intKind{1, maxInt}, "1000", noDefrag, 0),
	kept("jemalloc-bg-thread", anyBool, "yes", noDefrag, 0),
	kept("server_cpulist", anyText, "", noCPULists, immutable),
	kept("bio_cpulist", anyText, "", noCPULists, immutable),
	kept("aof_rewrite_cpulist", anyText, "", noCPULists, immutable),
	kept("bgsave_cpulist", anyText, "", noCPULists, immutable),
	kept("stream-node-max-bytes", anyBytes, "4096", noStreams, 0),
	kept("stream-node-max-entries", intKind{0, maxInt}, "100", noStreams, 0),
}
