package resp

// output is the way from a client's replies to its connection.
type output struct{}

// interruptRead makes a Read of the client's connection return.
func (c *client) interruptRead() {}
