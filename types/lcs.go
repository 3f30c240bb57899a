package types

// LCSOptions choose what LCS computes.
type LCSOptions struct {
	// LenOnly computes the length alone (LEN).
	LenOnly bool
	// Index computes the matching ranges and not the string (IDX).
	Index bool
	// MinMatchLen leaves shorter ranges out of Matches; 0 keeps all.
	MinMatchLen int64
}

// LCSMatch is a range of both strings that matches; ends are included.
type LCSMatch struct {
	AStart, AEnd, BStart, BEnd int
}

// Len is the length of the match.
func (m LCSMatch) Len() int { return m.AEnd - m.AStart + 1 }

// LCSResult is what LCS found.
type LCSResult struct {
	Len     int        // length of the longest common subsequence
	Seq     []byte     // the subsequence, unless LenOnly or Index
	Matches []LCSMatch // last first, if Index
}

// LCS computes the longest common subsequence of two strings; a missing key is
// an empty string. It fails with ErrLCSType, ErrLCSTooLong or ErrLCSMemory.
func (s String) LCS(keyA, keyB []byte, o LCSOptions) (LCSResult, error) { panic("Y") }
