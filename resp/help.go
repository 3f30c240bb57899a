package resp

// help replies to the subcommand HELP of a container: what every one of them
// says, around the lines of this one.
func (c *client) help(container string, lines ...string) {
	c.array(len(lines) + 3)
	c.simple(container + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, line := range lines {
		c.simple(line)
	}
	c.simple("HELP")
	c.simple("    Prints this help.")
}
