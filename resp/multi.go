package resp

// multiQueue holds the commands between MULTI and EXEC.
type multiQueue struct {
	cmds []queuedCommand
	arg  [][]byte // the arguments of all of them, one after another
}

// queuedCommand is one command of a multiQueue.
type queuedCommand struct {
	cmd  *command
	args [][]byte
}

// watchState is what a client watches.
type watchState struct{}
