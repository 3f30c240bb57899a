package engine

import "testing"

func TestHolderOf(t *testing.T) {
	const locks = `1: POSIX  ADVISORY  WRITE 10 fe:00:55 0 EOF
2: FLOCK  ADVISORY  WRITE 20 fe:00:555 0 EOF
3: -> FLOCK  ADVISORY  WRITE 30 fe:00:55 0 EOF
4: FLOCK  ADVISORY  WRITE 40 fe:00:55 0 EOF
5: FLOCK  ADVISORY  WRITE
`
	for file, want := range map[string]int{"fe:00:55": 40, "fe:00:555": 20, "fe:01:55": 0} {
		if got := holderOf(locks, file); got != want {
			t.Errorf("%s: got %d, want %d", file, got, want)
		}
	}
}
