package resp

// cmdCommandDocs is COMMAND DOCS [name ...]: a map from name to documentation,
// without the names that are not known.
func cmdCommandDocs(c *client, args [][]byte) {
	var rows []*command
	if len(args) == 2 {
		rows = c.srv.table.topLevel()
	}
	for _, name := range args[2:] {
		if cmd := c.srv.table.byFullName(name); cmd != nil {
			rows = append(rows, cmd)
		}
	}
	c.mapHeader(len(rows))
	for _, cmd := range rows {
		c.commandDocs(cmd)
	}
}

// commandDocs appends the name of a row and the map of its documentation.
func (c *client) commandDocs(cmd *command) {
	d := cmd.doc.docs()
	n := 3 + count(d.Complexity != "", len(d.DocFlags) > 0, d.DeprecatedSince != "",
		d.ReplacedBy != "", len(d.History) > 0, len(d.Arguments) > 0, len(cmd.subs) > 0)
	c.bulkString(cmd.name)
	c.mapHeader(n)
	c.text("summary", d.Summary)
	c.text("since", d.Since)
	c.text("group", d.Group)
	c.text("complexity", d.Complexity)
	if len(d.DocFlags) > 0 {
		c.bulkString("doc_flags")
		c.statusSet(d.DocFlags)
	}
	c.text("deprecated_since", d.DeprecatedSince)
	c.text("replaced_by", d.ReplacedBy)
	if len(d.History) > 0 {
		c.bulkString("history")
		c.setHeader(len(d.History))
		for _, entry := range d.History {
			c.array(2)
			c.bulkString(entry[0])
			c.bulkString(entry[1])
		}
	}
	if len(d.Arguments) > 0 {
		c.commandArgs(d.Arguments)
	}
	if len(cmd.subs) > 0 {
		c.bulkString("subcommands")
		c.mapHeader(len(cmd.subs))
		for _, sub := range cmd.sortedSubs() {
			c.commandDocs(sub)
		}
	}
}

// commandArgs appends the field "arguments".
func (c *client) commandArgs(list []commandArg) {
	c.bulkString("arguments")
	c.array(len(list))
	for i := range list {
		a := &list[i]
		c.mapHeader(2 + count(a.KeySpecIndex != nil, a.Token != nil, a.Since != "",
			a.DeprecatedSince != "", len(a.Flags) > 0, len(a.Arguments) > 0))
		c.text("name", a.Name)
		c.text("type", a.Type)
		if a.KeySpecIndex != nil {
			c.field("key_spec_index", *a.KeySpecIndex)
		}
		if a.Token != nil {
			c.bulkString("token")
			c.bulkString(*a.Token)
		}
		c.text("since", a.Since)
		c.text("deprecated_since", a.DeprecatedSince)
		if len(a.Flags) > 0 {
			c.bulkString("flags")
			c.statusSet(a.Flags)
		}
		if len(a.Arguments) > 0 {
			c.commandArgs(a.Arguments)
		}
	}
}

// text appends a name and a bulk string; nothing if the string is empty.
func (c *client) text(name, s string) {
	if s != "" {
		c.bulkString(name)
		c.bulkString(s)
	}
}

// count returns how many of the conditions hold.
func count(conditions ...bool) int {
	n := 0
	for _, ok := range conditions {
		if ok {
			n++
		}
	}
	return n
}
