package engine

import "testing"

// Every length has a class that fits it, and wastes little.
func TestArenaClasses(t *testing.T) {
	for words := minArenaWords; words <= 600; words++ {
		class := arenaClassOf(words)
		size := arenaClassWords(class)
		if size < words || size > words+words/8 || words <= fineArenaWords && size != words {
			t.Fatalf("a cell of %d words gets one of %d", words, size)
		}
		if class > 0 && arenaClassWords(class-1) >= words {
			t.Fatalf("a cell of %d words gets class %d, but the one below fits", words, class)
		}
		for has := int64(0); has < 1<<20; has = has*2 + 1 {
			n := nextChunkBytes(class, has)
			if n < size*4 || n&(n-1) != 0 || n > maxArenaChunk || has > 16<<10 && int64(n) > has/4 {
				t.Fatalf("a class of %d words with %d bytes gets a chunk of %d", size, has, n)
			}
		}
	}
}
