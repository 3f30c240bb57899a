//go:build race

package engine

// Under the race detector everything takes ten times as long; the suites that
// try every place then try one in trustStride. All of them are tried without it.
const trustStride = 10
