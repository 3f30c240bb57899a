package resp

import (
	"strconv"
	"strings"

	"bitkv/types"
)

// watchConfig registers what a change of a directive does to the store, and what
// the system does not allow. What the server itself needs it reads where it needs
// it. maxclients is lowered to what the system allows, as Redis does.
func (s *Server) watchConfig() {
	s.config.lowerMaxClients(s.maxConns)
	s.config.OnChange(func(_, changed *Settings) error {
		if changed.MaxClients > s.maxConns {
			return badValue("The operating system is not able to handle the specified number of clients, try with " +
				strconv.FormatInt(s.maxConns, 10))
		}
		return nil
	}, "maxclients")
	s.config.OnChange(func(_, changed *Settings) error {
		if d := findDirective("activedefrag"); !d.isDefault(changed) {
			return badValue(errNoDefrag) // in a file it is passed over, as that may be of a Redis with jemalloc
		}
		return nil
	}, "activedefrag")
	s.config.OnChange(func(_, changed *Settings) error {
		if store := s.loadedStore(); store != nil {
			applySettings(store, changed)
		}
		return nil
	}, "appendfsync", "value-cache-size", "cold-readers", "maxmemory", "hz", "maxdisk", "proto-max-bulk-len", "maxmemory-policy", "lfu-log-factor", "lfu-decay-time",
		"hash-max-listpack-entries", "hash-max-listpack-value", "list-max-listpack-size",
		"set-max-intset-entries", "set-max-listpack-entries",
		"zset-max-listpack-entries", "zset-max-listpack-value", "hll-sparse-max-bytes")
}

// lowerMaxClients makes maxclients at most n.
func (c *Config) lowerMaxClients(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.Load(); s.MaxClients > n {
		lowered := s.clone()
		lowered.MaxClients = n
		c.current.Store(lowered)
	}
}

// applyConfig brings the store in line with the settings, which may have changed
// while it was loading.
func (s *Server) applyConfig() {
	s.config.mu.Lock() // so that no change comes between the reading and the applying
	defer s.config.mu.Unlock()
	applySettings(s.store, s.config.Load())
}

// applySettings makes the store do what the settings say.
func applySettings(store *types.Store, cfg *Settings) {
	store.Engine().SetSync(cfg.SyncPolicy())
	store.Engine().SetValueCache(cfg.valueCache())
	store.Engine().SetColdReaders(int(cfg.ColdReaders))
	store.SetHz(int(cfg.Hz))
	store.Engine().SetMaxDisk(cfg.MaxDisk)
	store.SetMaxValueBytes(cfg.ProtoMaxBulkLen)
	store.SetMaxSparseHLL(cfg.HLLSparseMax)
	store.SetAccessClock(types.AccessClock{
		LFU:          strings.HasSuffix(cfg.MaxMemoryPolicy, "-lfu"),
		LogFactor:    int(cfg.LFULogFactor),
		DecayMinutes: int(cfg.LFUDecayMinutes),
	})
	store.SetCollectionLimits(types.CollectionLimits{
		HashEntries: cfg.HashMaxEntries, HashValue: cfg.HashMaxValue,
		SetInts: cfg.SetMaxIntset, SetEntries: cfg.SetMaxEntries,
		ZSetEntries: cfg.ZSetMaxEntries, ZSetValue: cfg.ZSetMaxValue,
		ListSize: cfg.ListMaxSize,
	})
}

// valueCache is how large the cache of values may be: no more than an eighth of what
// maxmemory allows for the rest.
func (s *Settings) valueCache() int64 {
	if s.MaxMemory != 0 {
		return min(s.ValueCacheSize, s.MaxMemory/8)
	}
	return s.ValueCacheSize
}

// SyncPolicy is what appendfsync means for the log.
func (s *Settings) SyncPolicy() types.SyncPolicy {
	switch s.AppendFsync {
	case "always":
		return types.SyncAlways
	case "no":
		return types.SyncNever
	case "bytes":
		return types.SyncBytes
	}
	return types.SyncEverySecond
}
