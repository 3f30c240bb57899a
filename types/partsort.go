package types

import (
	"math/bits"
	"slices"
)

const (
	sortFew    = 7  // fewer items are put in one by one
	sortMany   = 40 // of more the pivot is chosen from nine
	sortRounds = 4  // how many divisions are borne, times the bits of the length
)

// sortWindow puts those items in order that are from from up to, but not with, to
// in the sorted whole; the others end up before or behind them. It takes the time
// to look at all items a few times and to sort those of the window.
//
// It is the quicksort of Bentley and McIlroy (Engineering a Sort Function, 1993),
// which leaves alone what the window does not touch. So is Redis's: items that
// compare as equal come in its order. Items in an order that was made to be slow
// for it are sorted otherwise, in the time that sorting takes.
func sortWindow[T any](items []T, from, to int, compare func(a, b *T) int) {
	if from < to {
		sortPart(items, from, to, sortRounds*bits.Len(uint(len(items))), compare)
	}
}

// sortPart is sortWindow for a part of all items. The window may begin before it and
// end behind it. rounds is how often it may still be divided.
func sortPart[T any](s []T, from, to, rounds int, compare func(a, b *T) int) {
	for ; from < len(s) && to > 0; rounds-- {
		if len(s) < sortFew {
			insertionSort(s, compare)
			return
		}
		if rounds == 0 {
			sortWhole(s, compare)
			return
		}
		low, high := partition(s, compare)
		if low > 1 {
			sortPart(s[:low], from, to, rounds-1, compare)
		}
		if len(s)-high <= 1 {
			return
		}
		s, from, to = s[high:], from-high, to-high
	}
}

func sortWhole[T any](s []T, compare func(a, b *T) int) {
	slices.SortFunc(s, func(a, b T) int { return compare(&a, &b) })
}

// insertionSort sorts few items.
func insertionSort[T any](s []T, compare func(a, b *T) int) {
	for i := range s {
		for j := i; j > 0 && compare(&s[j-1], &s[j]) > 0; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// partition chooses a pivot and divides items in those below it, up to low, those
// equal to it, and those above it, from high on. REQUIRES: len(s) >= sortFew.
func partition[T any](s []T, compare func(a, b *T) int) (low, high int) {
	n := len(s)
	pivot := choosePivot(s, compare)
	s[0], s[pivot] = s[pivot], s[0]
	// What is equal to the pivot gathers at both ends, before a and behind d; what is
	// below it from a on, what is above it up to d. Between b and c nobody has looked.
	a, b, c, d := 1, 1, n-1, n-1
	for {
		for ; b <= c; b++ {
			order := compare(&s[b], &s[0])
			if order > 0 {
				break
			}
			if order == 0 {
				s[a], s[b] = s[b], s[a]
				a++
			}
		}
		for ; b <= c; c-- {
			order := compare(&s[c], &s[0])
			if order < 0 {
				break
			}
			if order == 0 {
				s[c], s[d] = s[d], s[c]
				d--
			}
		}
		if b > c {
			break
		}
		s[b], s[c] = s[c], s[b]
		b, c = b+1, c-1
	}
	swapEnds(s[:b], min(a, b-a))
	swapEnds(s[b:], min(d-c, n-1-d))
	return b - a, n - (d - c)
}

// swapEnds swaps the first n items with the last n.
func swapEnds[T any](s []T, n int) {
	for i := range n {
		j := len(s) - n + i
		s[i], s[j] = s[j], s[i]
	}
}

// choosePivot returns the place of the median of three items, or of the medians of
// three times three.
func choosePivot[T any](s []T, compare func(a, b *T) int) int {
	n := len(s)
	low, middle, high := 0, n/2, n-1
	if n == sortFew {
		return middle
	}
	if n > sortMany {
		step := n / 8
		low = medianOf(s, low, low+step, low+2*step, compare)
		middle = medianOf(s, middle-step, middle, middle+step, compare)
		high = medianOf(s, high-2*step, high-step, high, compare)
	}
	return medianOf(s, low, middle, high, compare)
}

// medianOf returns that of three places whose item is between the other two.
func medianOf[T any](s []T, a, b, c int, compare func(a, b *T) int) int {
	if compare(&s[a], &s[b]) < 0 {
		switch {
		case compare(&s[b], &s[c]) < 0:
			return b
		case compare(&s[a], &s[c]) < 0:
			return c
		}
		return a
	}
	switch {
	case compare(&s[b], &s[c]) > 0:
		return b
	case compare(&s[a], &s[c]) < 0:
		return a
	}
	return c
}
