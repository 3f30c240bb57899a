package resp

import (
	"errors"
)

// configBindings are the subcommands of CONFIG.
var configBindings = map[string]binding{
	"config|get":       {run: cmdConfigGet},
	"config|set":       {run: cmdConfigSet},
	"config|resetstat": {run: cmdConfigResetStat},
	"config|rewrite":   {run: cmdConfigRewrite},
	"config|help":      {run: cmdConfigHelp},
}

func cmdConfigGet(c *client, args [][]byte) {
	patterns := make([]string, 0, len(args)-2)
	for _, arg := range args[2:] {
		patterns = append(patterns, string(arg))
	}
	list := c.srv.config.Get(patterns...)
	c.mapHeader(len(list))
	for _, s := range list {
		c.bulkString(s.Name)
		c.bulkString(s.Value)
	}
}

func cmdConfigSet(c *client, args [][]byte) {
	if len(args)%2 != 0 {
		c.err(errSyntax)
		return
	}
	pairs := make([]Setting, 0, len(args)/2)
	for i := 2; i < len(args); i += 2 {
		pairs = append(pairs, Setting{Name: string(args[i]), Value: string(args[i+1])})
	}
	err := c.srv.config.set(pairs, setMode{
		protected: c.allowed(c.srv.config.Load().ProtectedConfigs),
		loading:   c.srv.loading.Load(),
	})
	var unknown *unknownDirectiveError
	var bad *settingError
	switch {
	case err == nil:
		for _, warning := range c.srv.config.idleWarnings(pairs) {
			c.srv.log.Warn("configuration: " + warning)
		}
		c.maxMemoryChanged(pairs)
		c.ok()
	case errors.Is(err, errConfigLoading):
		c.err(c.srv.loadingText())
	case errors.As(err, &unknown):
		c.err(errConfigUnknown(unknown.name))
	case errors.As(err, &bad):
		c.err(errConfigSet(bad.name, bad.reason))
	default:
		c.fail(err)
	}
}

// allowed reports whether the client may do what a directive like
// enable-debug-command guards.
func (c *client) allowed(a Access) bool {
	return a == AccessYes || a == AccessLocal && c.has(clientLocal|clientUnix)
}

func cmdConfigResetStat(c *client, _ [][]byte) {
	c.srv.stats.reset()
	c.srv.admin.reset()
	if s := c.srv.loadedStore(); s != nil {
		s.ResetStats()
	}
	c.ok()
}

func cmdConfigRewrite(c *client, _ [][]byte) {
	err := c.srv.config.Rewrite()
	switch {
	case err == nil:
		c.srv.log.Warn("CONFIG REWRITE executed with success.")
		c.ok()
	case errors.Is(err, errNoConfigFile):
		c.err(errNoConfigFileSet)
	default:
		c.srv.log.Warn("CONFIG REWRITE failed", "error", err)
		c.err(errConfigRewrite(err))
	}
}

func cmdConfigHelp(c *client, _ [][]byte) {
	c.help("CONFIG",
		"GET <pattern>",
		"    Return parameters matching the glob-like <pattern> and their values.",
		"SET <directive> <value>",
		"    Set the configuration <directive> to <value>.",
		"RESETSTAT",
		"    Reset statistics reported by the INFO command.",
		"REWRITE",
		"    Rewrite the configuration file.")
}
