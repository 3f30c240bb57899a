package engine

import "math/bits"

// ShardSet is a set of keydir shards: what a transaction locks. The zero value
// is empty.
type ShardSet [MaxShards / 64]uint64

// Add puts shard i into the set.
func (s *ShardSet) Add(i int) { s[i>>6] |= 1 << (i & 63) }

// AddAll puts the first n shards into the set.
func (s *ShardSet) AddAll(n int) {
	for i := range n {
		s.Add(i)
	}
}

// Union puts every shard of t into the set.
func (s *ShardSet) Union(t *ShardSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

// Has reports whether shard i is in the set.
func (s *ShardSet) Has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// Empty reports whether no shard is in the set.
func (s *ShardSet) Empty() bool { return *s == ShardSet{} }

// each calls fn for every shard in ascending order, which is the lock order.
func (s *ShardSet) each(fn func(i int)) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			fn(w<<6 + bits.TrailingZeros64(word))
		}
	}
}
