package resp

// Errors of the commands of sets.
const (
	errManyKeys = "ERR Number of keys can't be greater than number of args"
)
