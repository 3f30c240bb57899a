//go:build !unix

package resp

// openFileLimit is how many files and connections the process may have open; 0
// if that is not known.
func openFileLimit() int64 { return 0 }
