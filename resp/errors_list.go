package resp

// Errors of the commands of lists, and of those of sorted sets that are like them.
const (
	errIndexRange = "ERR index out of range"
	errNumKeys    = "ERR numkeys should be greater than 0"
	errPopCount   = "ERR count should be greater than 0"
	errPosRank    = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second " +
		"... or use negative to start from the end of the list"
	errPosCount  = "ERR COUNT can't be negative"
	errPosMaxLen = "ERR MAXLEN can't be negative"

	errTimeoutNotFloat = "ERR timeout is not a float or out of range"
)
