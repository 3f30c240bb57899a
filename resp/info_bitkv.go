package resp

import "bitkv/types"

// What INFO and MEMORY say about the storage below: the section Bitkv, and the
// fields of other sections that only it can answer.

// storeStats are the counters of the store; zero while it is loading.
func (s *Server) storeStats() types.Stats {
	if store := s.loadedStore(); store != nil {
		return store.Stats()
	}
	return types.Stats{}
}

// tcpPort is the port that the server listens on.
func (s *Server) tcpPort() int64 { return s.config.Load().Port }

func (s *Server) tailBytes() int64       { return 0 }
func (s *Server) keydirBytes() int64     { return 0 }
func (s *Server) lazyfreePending() int64 { return 0 }
func (s *Server) merging() bool          { return false }
func (s *Server) storageFailed() bool    { return false }
func (s *Server) infoLog(t *infoText)    {}
func infoBitkv(s *Server, t *infoText)   {}
