package types

import (
	"errors"
	"math"
)

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
func (s String) LCS(keyA, keyB []byte, o LCSOptions) (LCSResult, error) {
	va, _, errA := s.Get(keyA)
	vb, _, errB := s.Get(keyB)
	for _, err := range []error{errA, errB} {
		if errors.Is(err, ErrWrongType) {
			return LCSResult{}, ErrLCSType
		}
		if err != nil {
			return LCSResult{}, err
		}
	}
	if va.Len() >= math.MaxUint32-1 || vb.Len() >= math.MaxUint32-1 {
		return LCSResult{}, ErrLCSTooLong
	}
	// Both lengths are below 2^32, so the product fits 64 bits; divide, lest its
	// four bytes a cell do not.
	if cells := uint64(va.Len()+1) * uint64(vb.Len()+1); cells > uint64(s.tx.s.MaxValueBytes())/4 {
		return LCSResult{}, ErrLCSMemory
	}
	a, err := va.AppendTo(nil)
	if err != nil {
		return LCSResult{}, err
	}
	b, err := vb.AppendTo(nil)
	if err != nil {
		return LCSResult{}, err
	}
	if o.LenOnly && !o.Index {
		return LCSResult{Len: lcsLen(a, b)}, nil
	}
	return newLCSTable(a, b).walk(o), nil
}

// lcsLen computes the length with two rows of the table.
func lcsLen(a, b []byte) int {
	row := make([]uint32, len(b)+1)
	for _, x := range a {
		diagonal := uint32(0) // of the row above
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return int(row[len(b)])
}

// lcsTable has, for each pair of prefixes of a and b, the length of their longest
// common subsequence.
type lcsTable struct {
	a, b  []byte
	cells []uint32 // len(a)+1 rows of len(b)+1
}

func newLCSTable(a, b []byte) *lcsTable {
	width := len(b) + 1
	t := &lcsTable{a: a, b: b, cells: make([]uint32, (len(a)+1)*width)}
	for i, x := range a {
		above, row := t.cells[i*width:(i+1)*width], t.cells[(i+1)*width:(i+2)*width]
		for j, y := range b {
			if x == y {
				row[j+1] = above[j] + 1
			} else {
				row[j+1] = max(above[j+1], row[j])
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// walk goes back from the ends of both strings, preferring b where both ways are
// as good, as Redis does: that decides which of several subsequences is found.
func (t *lcsTable) walk(o LCSOptions) LCSResult {
	i, j := len(t.a), len(t.b)
	n := int(t.at(i, j))
	res := LCSResult{Len: n}
	seq := make([]byte, n)
	open := false // m is a match that may go on towards the beginning
	var m LCSMatch
	emit := func() {
		if open && o.Index && int64(m.Len()) >= o.MinMatchLen {
			res.Matches = append(res.Matches, m)
		}
		open = false
	}
	for i > 0 && j > 0 {
		switch {
		case t.a[i-1] == t.b[j-1]:
			n--
			seq[n] = t.a[i-1]
			if !open {
				m = LCSMatch{AEnd: i - 1, BEnd: j - 1}
				open = true
			}
			i, j = i-1, j-1
			m.AStart, m.BStart = i, j
		case t.at(i-1, j) > t.at(i, j-1):
			i--
			emit()
		default:
			j--
			emit()
		}
	}
	emit()
	if !o.Index {
		res.Seq = seq
	}
	return res
}
