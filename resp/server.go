package resp

import (
	"bitkv/types"
)

// Server serves one Store to any number of connections.
type Server struct {
	store *types.Store
	// R1 owns the rest.
}
