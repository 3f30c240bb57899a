package resp

// connectionCommands are the commands about the connection itself.
var connectionCommands = map[string]binding{}
