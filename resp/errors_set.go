package resp

// Errors of the commands of sets, and of SORT.
const (
	errManyKeys  = "ERR Number of keys can't be greater than number of args"
	errSortScore = "ERR One or more scores can't be converted into double"
)
