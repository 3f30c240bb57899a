package resp

import (
	"strconv"
	"time"
)

// serverBindings are the commands about the server that have no file of their own.
var serverBindings = map[string]binding{
	"time":          {run: cmdTime},
	"lastsave":      {run: cmdLastSave},
	"save":          {run: cmdSave},
	"bgsave":        {run: cmdBGSave},
	"bgrewriteaof":  {run: cmdBGRewriteAOF},
	"shutdown":      {run: cmdShutdown},
	"lolwut":        {run: cmdLolwut},
	"module|list":   {run: cmdModuleList},
	"module|load":   {run: cmdModuleLoad},
	"module|loadex": {run: cmdModuleLoad},
	"module|unload": {run: cmdModuleUnload},
	"module|help":   {run: cmdModuleHelp},
}

func cmdTime(c *client, _ [][]byte) {
	now := time.Now()
	c.array(2)
	c.bulkString(strconv.FormatInt(now.Unix(), 10))
	c.bulkString(strconv.FormatInt(int64(now.Nanosecond()/1000), 10))
}

func cmdLastSave(c *client, _ [][]byte) { c.int(c.srv.admin.lastSave.Load()) }

// cmdSave is SAVE: everything written so far is on the disk when it replies.
func cmdSave(c *client, _ [][]byte) {
	a := c.srv.admin
	if a.saving.Load() {
		c.err(errSaveRunning)
		return
	}
	if err := a.save(c.srv.store); err != nil {
		c.srv.log.Error("SAVE failed", "error", err)
		c.err(errSaveFailed)
		return
	}
	c.ok()
}

func cmdBGSave(c *client, args [][]byte) {
	switch {
	case len(args) > 2 || len(args) == 2 && !isWord(args[1], "SCHEDULE"):
		c.err(errSyntax)
	case !c.srv.admin.startSave(c.srv.store):
		c.err(errSaveRunning)
	default:
		c.simple("Background saving started")
	}
}

// cmdBGRewriteAOF starts a merge, which is what rewriting the log is here.
func cmdBGRewriteAOF(c *client, _ [][]byte) {
	if c.engineStats().Merge.Running || !c.srv.admin.startMerge(c.srv.store) {
		c.err(errMergeIsRunning)
		return
	}
	c.simple("Background append only file rewriting started")
}

// cmdShutdown asks whoever runs the server to end it. There is no reply to a
// shutdown that happens: the connection ends with the process.
func cmdShutdown(c *client, args [][]byte) {
	var r ShutdownRequest
	var save, abort bool
	for _, arg := range args[1:] {
		switch {
		case isWord(arg, "NOSAVE"):
			r.NoSave = true
		case isWord(arg, "SAVE"):
			save = true
		case isWord(arg, "NOW"):
			r.Now = true
		case isWord(arg, "FORCE"):
			r.Force = true
		case isWord(arg, "ABORT"):
			abort = true
		default:
			c.err(errSyntax)
			return
		}
	}
	switch {
	case r.NoSave && save || abort && len(args) > 2:
		c.err(errSyntax)
		return
	case abort:
		// A shutdown waits for nothing, so there is never one to abort.
		c.err(errNoShutdown)
		return
	}
	if !c.srv.syncForShutdown(r) {
		c.err(errShutdownFailed)
		return
	}
	c.srv.keepWaiting(c)
	c.srv.askShutdown(r)
	c.closeAfterReply()
}

// syncForShutdown syncs the data and reports whether the process may end: with
// FORCE it may, whatever the disk says.
func (s *Server) syncForShutdown(r ShutdownRequest) bool {
	store := s.loadedStore()
	if store == nil || r.NoSave {
		return true
	}
	if err := store.Engine().Sync(); err != nil {
		s.log.Error("the data could not be synced before the shutdown", "error", err)
		return r.Force
	}
	return true
}

// cmdLolwut has no art, whatever the version.
func cmdLolwut(c *client, args [][]byte) {
	if len(args) >= 3 && isWord(args[1], "VERSION") {
		if _, ok := parseInt(args[2]); !ok {
			c.err(errNotInt)
			return
		}
	}
	c.verbatim("txt", "bitkv ver. "+c.srv.opt.Version+" (Redis ver. "+RedisVersion+")\n")
}

func cmdModuleList(c *client, _ [][]byte) { c.array(0) }

// cmdModuleLoad is MODULE LOAD and LOADEX where enable-module-command lets them be tried.
func cmdModuleLoad(c *client, args [][]byte) {
	c.srv.log.Warn("a module cannot be loaded: modules written for Redis need the process that they are written for",
		"module", string(args[2]))
	c.err(errModuleLoad)
}

func cmdModuleUnload(c *client, _ [][]byte) { c.err(errModuleUnload) }

func cmdModuleHelp(c *client, _ [][]byte) {
	c.help("MODULE",
		"LIST",
		"    Return a list of loaded modules.",
		"LOAD <path> [<arg> ...]",
		"    Load a module library from <path>, passing to it any optional arguments.",
		"LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
		"    Load a module library from <path>, while passing it module configurations and optional arguments.",
		"UNLOAD <name>",
		"    Unload a module.",
	)
}
