package resp

// Errors of the commands that are about the server.
const (
	errSlowlogCount    = "ERR count should be greater than or equal to -1"
	errNoConfigFileSet = "ERR The server is running without a config file"
	errClusterOff      = "ERR This instance has cluster support disabled"
	errSaveRunning     = "ERR Background save already in progress"
	errSaveFailed      = "ERR Background save failed, see the server's log"
	errMergeIsRunning  = "ERR Background append only file rewriting already in progress"
	errNoShutdown      = "ERR No shutdown in progress."
	errShutdownFailed  = "ERR Errors trying to SHUTDOWN. Check logs."
	errNotHashTable    = "ERR The value stored at the specified key is not represented using an hash table"
	errDBOutOfRange    = "ERR Out of range database"
	errPackedThreshold = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
	errReloadOptions   = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
	errNeedsRESP3      = "ERR RESP2 is not supported by this command"
	errProtocolType    = "ERR Wrong protocol type name. Please use one of the following: " +
		"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
	errModuleLoad   = "ERR Error loading the extension. Please check the server logs."
	errModuleUnload = "ERR Error unloading module: no such module with that name"
	errNoDefrag     = "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified " +
		"Jemalloc like the one shipped by default with the Redis source distribution"
	errNotListpack     = "ERR Not a listpack encoded object."
	errNotQuicklist    = "ERR Not a quicklist encoded object."
	errClientEvictOff  = "ERR maxmemory-clients is disabled."
	errDebugPopulateTx = "ERR DEBUG POPULATE is not allowed in a transaction"
)

// errNoSamples is for LATENCY GRAPH of an event that was not seen.
func errNoSamples(event []byte) string {
	return "ERR No samples available for event '" + string(cutText(event, len(event))) + "'"
}

// errConfigUnknown is for CONFIG SET of a directive that does not exist.
func errConfigUnknown(name string) string {
	return "ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'"
}

// errConfigSet is for CONFIG SET of a value that is not taken.
func errConfigSet(name, reason string) string {
	return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + reason
}

// errConfigRewrite is for a CONFIG REWRITE that failed.
func errConfigRewrite(err error) string { return "ERR Rewriting config file: " + err.Error() }
