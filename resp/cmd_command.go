package resp

import (
	"slices"

	"bitkv/types"
)

var commandBindings = map[string]binding{
	"command":                 {run: cmdCommand},
	"command|count":           {run: cmdCommandCount},
	"command|docs":            {run: cmdCommandDocs},
	"command|getkeys":         {run: cmdCommandGetKeys},
	"command|getkeysandflags": {run: cmdCommandGetKeysAndFlags},
	"command|help":            {run: cmdCommandHelp},
	"command|info":            {run: cmdCommandInfo},
	"command|list":            {run: cmdCommandList},
}

// topLevel returns the rows that are not subcommands, sorted by name.
func (t *commandTable) topLevel() []*command {
	return slices.DeleteFunc(slices.Clone(t.rows), func(cmd *command) bool { return cmd.parent != nil })
}

// byFullName finds a row by the name that COMMAND INFO and COMMAND DOCS take:
// "get", or "client|list".
func (t *commandTable) byFullName(name []byte) *command {
	container, sub, ok := cutSubcommand(string(name))
	cmd := lookupName(t.byName, []byte(container))
	if cmd == nil || !ok {
		return cmd
	}
	return lookupName(cmd.subs, []byte(sub))
}

// sortedSubs returns the subcommands of a container, sorted by name.
func (cmd *command) sortedSubs() []*command {
	subs := make([]*command, 0, len(cmd.subs))
	for _, sub := range cmd.subs {
		subs = append(subs, sub)
	}
	slices.SortFunc(subs, compareRows)
	return subs
}

func cmdCommand(c *client, _ [][]byte) {
	rows := c.srv.table.topLevel()
	c.array(len(rows))
	for _, cmd := range rows {
		c.commandInfo(cmd)
	}
}

func cmdCommandCount(c *client, _ [][]byte) {
	c.int(int64(len(c.srv.table.byName)))
}

func cmdCommandInfo(c *client, args [][]byte) {
	if len(args) == 2 {
		cmdCommand(c, args)
		return
	}
	c.array(len(args) - 2)
	for _, name := range args[2:] {
		if cmd := c.srv.table.byFullName(name); cmd != nil {
			c.commandInfo(cmd)
		} else {
			c.null()
		}
	}
}

// commandInfo appends what COMMAND says about one row.
func (c *client) commandInfo(cmd *command) {
	d := cmd.doc
	c.array(10)
	c.bulkString(cmd.name)
	c.int(int64(cmd.arity))
	c.statusSet(d.Flags)
	c.int(int64(d.legacy.first))
	c.int(int64(d.legacy.last))
	c.int(int64(d.legacy.step))
	c.statusSet(d.ACL)
	c.setHeader(len(d.Tips))
	for _, tip := range d.Tips {
		c.bulkString(tip)
	}
	c.setHeader(len(d.Keys))
	for i := range d.Keys {
		c.keySpec(&d.Keys[i])
	}
	if len(cmd.subs) == 0 {
		c.setHeader(0) // not an array: Redis has it so
		return
	}
	c.array(len(cmd.subs))
	for _, sub := range cmd.sortedSubs() {
		c.commandInfo(sub)
	}
}

// statusSet appends a set of simple strings.
func (c *client) statusSet(names []string) {
	c.setHeader(len(names))
	for _, name := range names {
		c.simple(name)
	}
}

// keySpec appends a key spec.
func (c *client) keySpec(s *keySpec) {
	if s.Notes == "" {
		c.mapHeader(3)
	} else {
		c.mapHeader(4)
		c.bulkString("notes")
		c.bulkString(s.Notes)
	}
	c.bulkString("flags")
	c.statusSet(s.Flags)
	c.bulkString("begin_search")
	switch {
	case s.Keyword != "":
		c.specStep("keyword", 2)
		c.bulkString("keyword")
		c.bulkString(s.Keyword)
		c.field("startfrom", s.StartFrom)
	case s.Index > 0:
		c.specStep("index", 1)
		c.field("index", s.Index)
	default:
		c.specStep("unknown", 0)
	}
	c.bulkString("find_keys")
	switch {
	case s.Range != nil:
		c.specStep("range", 3)
		c.field("lastkey", s.Range[0])
		c.field("keystep", s.Range[1])
		c.field("limit", s.Range[2])
	case s.KeyNum != nil:
		c.specStep("keynum", 3)
		c.field("keynumidx", s.KeyNum[0])
		c.field("firstkey", s.KeyNum[1])
		c.field("keystep", s.KeyNum[2])
	default:
		c.specStep("unknown", 0)
	}
}

// specStep appends one step of a key spec up to its n fields.
func (c *client) specStep(kind string, n int) {
	c.mapHeader(2)
	c.bulkString("type")
	c.bulkString(kind)
	c.bulkString("spec")
	c.mapHeader(n)
}

// field appends a name and an integer.
func (c *client) field(name string, n int) {
	c.bulkString(name)
	c.int(int64(n))
}

// cmdCommandList is COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN
// pattern]. Unlike COMMAND, it has subcommands too.
func cmdCommandList(c *client, args [][]byte) {
	rows := c.srv.table.rows
	switch {
	case len(args) == 2: // all of them
	case len(args) == 5 && isWord(args[2], "FILTERBY"):
		keep, ok := listFilter(args[3], args[4])
		if !ok {
			c.err(errSyntax)
			return
		}
		rows = slices.DeleteFunc(slices.Clone(rows), func(cmd *command) bool { return !keep(cmd) })
	default:
		c.err(errSyntax)
		return
	}
	c.array(len(rows))
	for _, cmd := range rows {
		c.bulkString(cmd.name)
	}
}

// listFilter returns what FILTERBY keeps.
func listFilter(kind, arg []byte) (keep func(*command) bool, ok bool) {
	switch {
	case isWord(kind, "MODULE"): // there are none
		return func(*command) bool { return false }, true
	case isWord(kind, "ACLCAT"):
		category := "@" + string(lowerASCII(arg))
		return func(cmd *command) bool { return slices.Contains(cmd.doc.ACL, category) }, true
	case isWord(kind, "PATTERN"):
		return func(cmd *command) bool { return types.MatchFold(arg, []byte(cmd.name)) }, true
	default:
		return nil, false
	}
}

// getKeysTarget finds the row of the command line args and checks that it can be
// asked for its keys; otherwise it replies with an error.
func (c *client) getKeysTarget(args [][]byte) *command {
	cmd, _ := c.srv.table.lookup(args)
	switch {
	case cmd == nil:
		c.err(errBadCommand)
	case !cmd.doc.hasKeys():
		c.err(errNoKeyArgs)
	case !cmd.arityOK(len(args)):
		c.err(errBadArgCount)
	default:
		return cmd
	}
	return nil
}

// keyRefs finds the keys of the command line args. ok is false if an error was
// replied.
func (c *client) keyRefs(args [][]byte) (refs []keyRef, ok bool) {
	cmd := c.getKeysTarget(args)
	if cmd == nil {
		return nil, false
	}
	refs, ok = cmd.doc.keyRefs(nil, args)
	if !ok {
		if cmd.flags&flagNoMandatoryKeys == 0 {
			c.err(errBadArguments)
			return nil, false
		}
		refs = nil
	}
	return refs, true
}

func cmdCommandGetKeys(c *client, args [][]byte) {
	line := args[2:]
	refs, ok := c.keyRefs(line)
	if !ok {
		return
	}
	c.array(len(refs))
	for _, ref := range refs {
		c.bulk(line[ref.index])
	}
}

func cmdCommandGetKeysAndFlags(c *client, args [][]byte) {
	line := args[2:]
	refs, ok := c.keyRefs(line)
	if !ok {
		return
	}
	c.array(len(refs))
	for _, ref := range refs {
		c.array(2)
		c.bulk(line[ref.index])
		c.statusSet(ref.access.names())
	}
}

func cmdCommandHelp(c *client, _ [][]byte) {
	c.help("COMMAND",
		"(no subcommand)",
		"    Return details about all Redis commands.",
		"COUNT",
		"    Return the total number of commands in this Redis server.",
		"LIST",
		"    Return a list of all commands in this Redis server.",
		"INFO [<command-name> ...]",
		"    Return details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"DOCS [<command-name> ...]",
		"    Return documentation details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"GETKEYS <full-command>",
		"    Return the keys from a full Redis command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys and the access flags from a full Redis command.",
	)
}
