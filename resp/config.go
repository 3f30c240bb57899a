package resp

import (
	"sync"
	"sync/atomic"
)

// Config is the configuration of one server: the settings, where they came
// from, and how they are changed. Reading is one atomic load; changes are made
// one at a time, each as a whole or not at all.
type Config struct {
	current atomic.Pointer[Settings]

	mu    sync.Mutex
	file  string // the configuration file, absolute; empty: none
	hooks []changeHook
}

// changeHook is told about a change of any of names before it is visible.
type changeHook struct {
	names []string
	apply func(old, changed *Settings) error
}

// Load returns the settings as they are now. The result never changes; a
// command loads once and sees one configuration.
func (c *Config) Load() *Settings { return c.current.Load() }

// OnChange registers what must happen when one of the named directives is
// changed at run time: apply is called with the settings before and after. If it
// returns an error, nothing changes (hooks called before it are called again
// with the two exchanged) and its text is the reason that CONFIG SET gives.
func (c *Config) OnChange(apply func(old, changed *Settings) error, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(c.hooks, changeHook{names, apply})
}
