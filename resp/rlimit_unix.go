//go:build unix

package resp

import "syscall"

// openFileLimit is how many files and connections the process may have open; 0
// if that is not known. The Go runtime has raised the soft limit to the hard one.
func openFileLimit() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int64(min(uint64(r.Cur), 1<<62)) //nolint:unconvert // its type differs between systems
}
