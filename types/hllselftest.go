package types

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// HLLSelfTest is PFSELFTEST: it checks the arithmetic of HyperLogLogs on this
// machine. It takes a second or so and touches no key.
func HLLSelfTest() error {
	rnd := rand.New(rand.NewPCG(1, 2)) // always the same: a test has no luck
	if err := testRegisters(rnd); err != nil {
		return err
	}
	return testEstimates(rnd.Uint64())
}

// testRegisters checks that setting a register keeps its neighbours.
func testRegisters(rnd *rand.Rand) error {
	for range 100 {
		s, ok := newSketch().toDense()
		if !ok {
			return errors.New("an empty sparse sketch is damaged")
		}
		var want registers
		for _, i := range rnd.Perm(sketchRegisters) {
			want[i] = byte(rnd.IntN(64))
			s.raiseDense(i, want[i])
		}
		for i, value := range want {
			if got := s.register(i); got != value {
				return fmt.Errorf("register %d should be %d but is %d", i, value, got)
			}
		}
	}
	return nil
}

// testEstimates adds different elements to a sparse and a dense sketch. They have
// to agree, and to be no more than six standard errors away from the truth.
func testEstimates(salt uint64) error {
	sparse := newSketch()
	dense, _ := sparse.toDense()
	var element [8]byte
	check := 1
	for n := 1; n <= 1_000_000; n++ {
		binary.LittleEndian.PutUint64(element[:], uint64(n)^salt)
		index, value := registerOf(element[:])
		dense.raiseDense(index, value)
		var ok bool
		if sparse, _, ok = sparse.raise(index, value, defaultMaxSparseHLL); !ok {
			return errors.New("a sparse sketch is damaged")
		}
		if n != check {
			continue
		}
		check *= 10
		if n < defaultMaxSparseHLL/2 && !sparse.isSparse() {
			return errors.New("sparse encoding not used")
		}
		a, _ := dense.histogram()
		b, ok := sparse.histogram()
		if !ok || a.estimate() != b.estimate() {
			return errors.New("dense/sparse disagree")
		}
		off := math.Abs(float64(n) - float64(a.estimate()))
		if off > math.Ceil(6*1.04/math.Sqrt(sketchRegisters)*float64(n)) {
			return fmt.Errorf("too big error. card:%d abserr:%.0f", n, off)
		}
	}
	return nil
}
