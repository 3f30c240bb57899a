package resp

import "strings"

// The errors of connections, of CLIENT and of dispatch: as errors.go, to the
// byte as Redis writes them.
const (
	errClientName     = "ERR Client names cannot contain spaces, newlines or special characters."
	errClientID       = "ERR Invalid client ID"
	errClientIDRange  = "ERR client-id should be greater than 0"
	errNoSuchClient   = "ERR No such client"
	errNoAuthConfig   = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errHelloNoAuth    = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errProtoNotInt    = "ERR Protocol version is not an integer or out of range"
	errMonitorInExec  = "ERR MONITOR isn't allowed for DENY BLOCKING client"
	errTimeoutNotInt  = "ERR timeout is not an integer or out of range"
	errTimeoutSign    = "ERR timeout is negative"
	errTimeoutRange   = "ERR timeout is out of range"
	errPauseMode      = "ERR CLIENT PAUSE mode must be WRITE or ALL"
	errUnblockReason  = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
	errCachingMode    = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errInt32Range     = "ERR value is out of range, value must between -2147483648 and 2147483647"
	errMaxAge         = "ERR maxage is not an integer or out of range"
	errMaxAgeRange    = "ERR maxage should be greater than 0"
	errProtectedMode  = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."
	errProtocolPrefix = "ERR Protocol error: "
)

// errHelloOption is for an option of HELLO that is unknown or lacks its values.
func errHelloOption(option []byte) string {
	return "ERR Syntax error in HELLO option '" + string(cutText(option, len(option))) + "'"
}

// errClientInfo is for a CLIENT SETINFO value that cannot be printed in a list.
func errClientInfo(attribute []byte) string {
	return "ERR " + string(attribute) + " cannot contain spaces, newlines or special characters."
}

// errClientInfoName is for an attribute that CLIENT SETINFO does not know.
func errClientInfoName(name []byte) string {
	return "ERR Unrecognized option '" + string(cutText(name, len(name))) + "'"
}

// errClientType is for a type that CLIENT LIST or KILL does not know.
func errClientType(name []byte) string {
	return "ERR Unknown client type '" + string(cutText(name, len(name))) + "'"
}

// errNoSuchUser is for CLIENT KILL USER.
func errNoSuchUser(name []byte) string {
	return "ERR No such user '" + string(cutText(name, len(name))) + "'"
}

// errExecAbortBecause is the error of an EXEC that was itself refused for text.
func errExecAbortBecause(text string) string {
	return "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "ERR ")
}

// errProtected is for a command that the configuration does not allow.
func errProtected(cmd *command) string {
	name, option := "DEBUG", "enable-debug-command"
	if strings.HasPrefix(cmd.name, "module") {
		name, option = "MODULE", "enable-module-command"
	}
	return "ERR " + name + " command not allowed. If the " + option + ` option is set to "local", you can run it ` +
		"from a local connection, otherwise you need to set this option in the configuration file, " +
		"and then restart the server."
}

// errProtocol is the last reply to a client that violated the protocol. What it
// sent in place of a '$' is in the text, up to a zero byte as in C.
func errProtocol(err error) string { return errProtocolPrefix + err.Error() }
