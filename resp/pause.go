package resp

import "sync"

// pauseState is what CLIENT PAUSE has asked for.
type pauseState struct {
	mu sync.Mutex
}
