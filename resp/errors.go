package resp

import (
	"errors"
	"strings"

	"bitkv/types"
)

// Every text that a client can get as an error is in this file, to the byte as
// Redis 7.0 writes it: clients match on them.

// Errors that have no parameters.
const (
	errSyntax         = "ERR syntax error"
	errNotInt         = "ERR value is not an integer or out of range"
	errNotInt32       = "ERR value is out of range, value must between -2147483648 and 2147483647"
	errNotPositiveInt = "ERR value is out of range, must be positive"
	errNotFloat       = "ERR value is not a valid float"
	errWrongType      = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errNoKey          = "ERR no such key"
	errSameObject     = "ERR source and destination objects are the same"
	errInvalidCursor  = "ERR invalid cursor"
	errOverflow       = "ERR increment or decrement would overflow"
	errDecrOverflow   = "ERR decrement would overflow"
	errNaN            = "ERR increment would produce NaN or Infinity"
	errTooLong        = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errOffset         = "ERR offset is out of range"
	errDBRange        = "ERR DB index is out of range"
	errFirstDB        = "ERR invalid first DB index"
	errSecondDB       = "ERR invalid second DB index"

	errOutOfRange   = "ERR value is out of range"
	errCountRange   = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
	errInfinite     = "ERR value is NaN or Infinity"
	errHashNotInt   = "ERR hash value is not an integer"
	errHashNotFloat = "ERR hash value is not a float"
	errNoValues     = "ERR NOVALUES option can only be used in HSCAN"

	errScoreNaN       = "ERR resulting score is not a number (NaN)"
	errZAddNXXX       = "ERR XX and NX options at the same time are not compatible"
	errZAddGTLTNX     = "ERR GT, LT, and/or NX options at the same time are not compatible"
	errZAddIncr       = "ERR INCR option supports a single increment-element pair"
	errRangeNotFloat  = "ERR min or max is not a float"
	errRangeNotLex    = "ERR min or max not valid string range item"
	errRangeLimit     = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errRangeLexScores = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
	errWeight         = "ERR weight value is not a float"
	errLimitNegative  = "ERR LIMIT can't be negative"

	errExpireNXOther = "ERR NX and XX, GT or LT options at the same time are not compatible"
	errExpireGTLT    = "ERR GT and LT options at the same time are not compatible"

	errLCSType    = "ERR The specified keys must contain string values"
	errLCSOptions = "ERR If you want both the length and indexes, please just use IDX."
	errLCSTooLong = "ERR String too long for LCS"
	errLCSMemory  = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"

	errBitOffset     = "ERR bit offset is not an integer or out of range"
	errBitValue      = "ERR bit is not an integer or out of range"
	errBitArgument   = "ERR The bit argument must be 1 or 0."
	errBitNot        = "ERR BITOP NOT must be called with a single source key."
	errFieldType     = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
	errFieldOverflow = "ERR Invalid OVERFLOW type specified"
	errBitFieldRO    = "ERR BITFIELD_RO only supports the GET subcommand"

	errNotHLL     = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptHLL = "INVALIDOBJ Corrupted HLL object detected"
	errDenseHLL   = "ERR HLL encoding is not sparse"
	errNoHLL      = "ERR The specified key does not exist"

	errBusyKey     = "BUSYKEY Target key name already exists."
	errRestoreTTL  = "ERR Invalid TTL value, must be >= 0"
	errIdleTime    = "ERR Invalid IDLETIME value, must be >= 0"
	errFreq        = "ERR Invalid FREQ value, must be >= 0 and <= 255"
	errDumpVersion = "ERR DUMP payload version or checksum are wrong"
	errDumpFormat  = "ERR Bad data format"

	errFreqNotLFU = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. " +
		"Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	errIdleIsLFU = "ERR An LFU maxmemory policy is selected, idle time not tracked. " +
		"Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

	errNoKeyArgs    = "ERR The command has no key arguments"
	errBadCommand   = "ERR Invalid command specified"
	errBadArgCount  = "ERR Invalid number of arguments specified for command"
	errBadArguments = "ERR Invalid arguments specified for command"
)

// Errors of the state of the connection or the server.
const (
	errMaxDisk      = "MISCONF The data directory has reached maxdisk. Commands that may add data are refused; delete keys, or raise maxdisk."
	errOOM          = "OOM command not allowed when used memory > 'maxmemory'."
	errNoAuth       = "NOAUTH Authentication required."
	errWrongPass    = "WRONGPASS invalid username-password pair or user is disabled."
	errNoProto      = "NOPROTO unsupported protocol version"
	errLoading      = "LOADING Redis is loading the dataset in memory"
	errExecAbort    = "EXECABORT Transaction discarded because of previous errors."
	errNestedMulti  = "ERR MULTI calls can not be nested"
	errExecNoMulti  = "ERR EXEC without MULTI"
	errDiscardNo    = "ERR DISCARD without MULTI"
	errWatchInMulti = "ERR WATCH inside MULTI is not allowed"
	errNotInMulti   = "ERR Command not allowed inside a transaction"
	errMaxClients   = "ERR max number of clients reached"
	errUnblocked    = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	errClosing      = "ERR server is shutting down"
	errReplicaKeys  = "ERR Replica can't interact with the keyspace" // for one that does MONITOR
	errInternal     = "ERR internal error, see the server's log"
	errCorrupt      = "ERR a value on disk is damaged, see the server's log"
)

// errArity is the error for a wrong number of arguments. name is the row's
// ("client|list").
func errArity(name string) string {
	return "ERR wrong number of arguments for '" + name + "' command"
}

// errUnknownCommand quotes what was sent, which is cut as Redis cuts it: the
// name to 128 bytes, the arguments to 128 bytes together.
func errUnknownCommand(args [][]byte) string {
	text := append(make([]byte, 0, 320), "ERR unknown command '"...)
	text = append(text, cutText(args[0], 128)...)
	text = append(text, "', with args beginning with: "...)
	quoted := 0
	for _, arg := range args[1:] {
		if quoted >= 128 {
			break
		}
		part := cutText(arg, 128-quoted)
		text = append(text, '\'')
		text = append(text, part...)
		text = append(text, "' "...)
		quoted += len(part) + 3
	}
	return string(text)
}

// errUnknownSubcommand is for a container whose subcommand sub is not known.
func errUnknownSubcommand(container, sub []byte) string {
	return "ERR unknown subcommand '" + string(cutText(sub, 128)) + "'. Try " +
		strings.ToUpper(string(container)) + " HELP."
}

// errSubcommandSyntax is for a subcommand that is known and used wrongly.
func errSubcommandSyntax(container, sub []byte) string {
	text := errUnknownSubcommand(container, sub)
	const unknown = "ERR unknown subcommand '"
	return "ERR unknown subcommand or wrong number of arguments for '" + text[len(unknown):]
}

// errSelfTest is for a PFSELFTEST that found something.
func errSelfTest(err error) string { return "ERR TESTFAILED " + err.Error() }

// errPFDebug is for a subcommand of PFDEBUG that is not known.
func errPFDebug(sub []byte) string {
	return "ERR Unknown PFDEBUG subcommand '" + string(cutText(sub, len(sub))) + "'"
}

// errNoInputKeys is for a command over several sorted sets, by its name, without any.
func errNoInputKeys(name string) string {
	return "ERR at least 1 input key is needed for '" + name + "' command"
}

// errExpireTime is for an expiry that a command (by its lower-case name) does
// not take.
func errExpireTime(name string) string {
	return "ERR invalid expire time in '" + name + "' command"
}

// errUnsupportedOption is for an option that EXPIRE and its kin do not know.
func errUnsupportedOption(option []byte) string {
	return "ERR Unsupported option " + string(cutText(option, len(option)))
}

// errMisconf is the answer to a write that the disk does not take.
func errMisconf(reason string) string {
	return "MISCONF Errors writing to the AOF file: " + reason
}

// cutText is what C's %.*s prints of b: at most limit bytes, up to a zero byte.
func cutText(b []byte, limit int) []byte {
	b = b[:min(len(b), limit)]
	for i, ch := range b {
		if ch == 0 {
			return b[:i]
		}
	}
	return b
}

// typesErrors are the texts of the sentinels of package types.
var typesErrors = []struct {
	err  error
	text string
}{
	{types.ErrWrongType, errWrongType},
	{types.ErrNotInteger, errNotInt},
	{types.ErrNotFloat, errNotFloat},
	{types.ErrOverflow, errOverflow},
	{types.ErrNaN, errNaN},
	{types.ErrInfinite, errInfinite},
	{types.ErrHashNotInteger, errHashNotInt},
	{types.ErrHashNotFloat, errHashNotFloat},
	{types.ErrScoreNaN, errScoreNaN},
	{types.ErrSortScore, errSortScore},
	{types.ErrNoKey, errNoKey},
	{types.ErrIndex, errIndexRange},
	{types.ErrTooLong, errTooLong},
	{types.ErrOffset, errOffset},
	{types.ErrSameObject, errSameObject},
	{types.ErrDBRange, errDBRange},
	{types.ErrNotHLL, errNotHLL},
	{types.ErrCorruptHLL, errCorruptHLL},
	{types.ErrDenseHLL, errDenseHLL},
	{types.ErrDumpVersion, errDumpVersion},
	{types.ErrDumpFormat, errDumpFormat},
	{types.ErrLCSType, errLCSType},
	{types.ErrLCSTooLong, errLCSTooLong},
	{types.ErrLCSMemory, errLCSMemory},
	{types.ErrTooLarge, errTooLong},
	{types.ErrClosed, errClosing},
	{types.ErrDiskLimit, errMaxDisk},
	{types.ErrNoSpace, errMisconf("No space left on device")},
}

// errorText returns what a client gets for an error of package types. known is
// false if the error is one for the server's log as well: damage on disk, or an
// error without a text of its own. A failed disk is in the log already, once and
// not for every write that is refused since.
func errorText(err error) (text string, known bool) {
	for i := range typesErrors {
		if errors.Is(err, typesErrors[i].err) {
			return typesErrors[i].text, true
		}
	}
	switch {
	case errors.Is(err, types.ErrCorrupt):
		return errCorrupt, false
	case errors.Is(err, types.ErrFailed):
		return errMisconf(err.Error()), true
	default:
		return errInternal, false
	}
}
