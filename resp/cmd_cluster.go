package resp

// clusterBindings are the commands of Redis Cluster, which answer as a Redis
// does whose cluster mode is off.
var clusterBindings = bindAll(cmdClusterOff,
	"cluster|addslots", "cluster|addslotsrange", "cluster|bumpepoch",
	"cluster|count-failure-reports", "cluster|countkeysinslot", "cluster|delslots",
	"cluster|delslotsrange", "cluster|failover", "cluster|flushslots", "cluster|forget",
	"cluster|getkeysinslot", "cluster|help", "cluster|info", "cluster|keyslot",
	"cluster|links", "cluster|meet", "cluster|myid", "cluster|myshardid",
	"cluster|nodes", "cluster|replicas", "cluster|replicate", "cluster|reset",
	"cluster|saveconfig", "cluster|set-config-epoch", "cluster|setslot",
	"cluster|shards", "cluster|slaves", "cluster|slots",
	"asking", "readonly", "readwrite",
)

// bindAll binds every name to one handler.
func bindAll(run handler, names ...string) map[string]binding {
	m := make(map[string]binding, len(names))
	for _, name := range names {
		m[name] = binding{run: run}
	}
	return m
}

func cmdClusterOff(c *client, _ [][]byte) { c.err(errClusterOff) }
