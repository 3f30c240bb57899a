// Embedded measures Get and Put of this engine beside other key-value libraries of
// Go, in one process and on one disk: keys of 16 bytes, values of 128, one
// goroutine, every library with its default options, but that those which sync each
// write are told not to where that can be (what Put promises differs: it is printed). Rounds are interleaved, so
// that a disturbance meets all, and medians are printed.
//
//	make bench-embedded
//
// It is a module of its own, so that these libraries are no dependencies of the
// server.
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	keyBytes   = 16
	valueBytes = 128
)

// store is what is measured of a library.
type store interface {
	Put(key, value []byte) error
	// Get returns the value, as the library hands it out: dst may be used for it.
	Get(dst, key []byte) ([]byte, error)
	Close() error
}

// library is one of them.
type library struct {
	name string
	sync string // what is on the disk when Put returns
	open func(dir string) (store, error)
	// slow is by how much fewer operations a round has.
	slow int
}

type result struct{ get, put []time.Duration }

func main() {
	keys := flag.Int("keys", 1_000_000, "how many `keys` there are")
	ops := flag.Int("ops", 300_000, "how many `operations` a round has")
	rounds := flag.Int("rounds", 5, "how many `rounds`")
	only := flag.String("only", "", "measure only libraries whose name contains this `text`")
	scratch := flag.String("scratch", "", "`directory` for the data (default: a temporary one)")
	flag.Parse()
	if err := measure(*keys, *ops, *rounds, *only, *scratch); err != nil {
		fmt.Fprintln(os.Stderr, "embedded:", err)
		os.Exit(1)
	}
}

func measure(keys, ops, rounds int, only, scratch string) (err error) {
	dir, err := os.MkdirTemp(scratch, "bitkv-embedded-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var opened []library
	var stores []store
	defer func() {
		for _, s := range stores {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, lib := range libraries {
		if !strings.Contains(lib.name, only) {
			continue
		}
		s, err := lib.open(filepath.Join(dir, lib.name))
		if err != nil {
			return fmt.Errorf("%s: %w", lib.name, err)
		}
		stores, opened = append(stores, s), append(opened, lib)
		fmt.Fprintf(os.Stderr, "loading %d keys into %s\n", keys/lib.slow, lib.name)
		if _, err := puts(s, keys/lib.slow, keys/lib.slow, 1); err != nil {
			return fmt.Errorf("%s: %w", lib.name, err)
		}
	}
	results := make([]result, len(opened))
	for round := range rounds {
		for i := range opened {
			i = (i + round) % len(opened)
			lib, s := opened[i], stores[i]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, lib.name)
			runtime.GC() // what the others left is not this one's
			get, err := gets(s, keys/lib.slow, ops)
			if err != nil {
				return fmt.Errorf("%s: %w", lib.name, err)
			}
			put, err := puts(s, keys/lib.slow, ops/lib.slow, 7919)
			if err != nil {
				return fmt.Errorf("%s: %w", lib.name, err)
			}
			results[i].get, results[i].put = append(results[i].get, get), append(results[i].put, put)
		}
	}
	report(opened, results, keys, rounds)
	return nil
}

// makeKey writes key number i, spread over the key space.
func makeKey(b []byte, i int) []byte {
	binary.BigEndian.PutUint64(b, uint64(i)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(b[8:], uint64(i))
	return b[:keyBytes]
}

// puts writes n keys out of so many, stride apart, and returns the time of one.
func puts(s store, keys, n, stride int) (time.Duration, error) {
	var key [keyBytes]byte
	value := make([]byte, valueBytes)
	started := time.Now()
	for i := range n {
		binary.BigEndian.PutUint64(value, uint64(i))
		if err := s.Put(makeKey(key[:], i*stride%keys), value); err != nil {
			return 0, err
		}
	}
	return time.Since(started) / time.Duration(max(n, 1)), nil
}

// gets reads n keys and returns the time of one.
func gets(s store, keys, n int) (time.Duration, error) {
	var key [keyBytes]byte
	var value []byte
	started := time.Now()
	for i := range n {
		var err error
		if value, err = s.Get(value[:0], makeKey(key[:], i*7919%keys)); err != nil {
			return 0, err
		}
		if len(value) != valueBytes {
			return 0, fmt.Errorf("a value of %d bytes", len(value))
		}
	}
	return time.Since(started) / time.Duration(max(n, 1)), nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func report(libs []library, results []result, keys, rounds int) {
	fmt.Printf("%d keys of %d bytes, values of %d, one goroutine, medians of %d interleaved rounds, %s, %d processors\n\n",
		keys, keyBytes, valueBytes, rounds, runtime.Version(), runtime.NumCPU())
	fmt.Println("| library | Get us | Put us | when Put returns |")
	fmt.Println("|---|--:|--:|---|")
	for i, lib := range libs {
		name := lib.name
		if lib.slow > 1 {
			name += fmt.Sprintf(" (%d keys)", keys/lib.slow)
		}
		us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
		fmt.Printf("| %s | %.2f | %.2f | %s |\n", name, us(median(results[i].get)), us(median(results[i].put)), lib.sync)
	}
}
