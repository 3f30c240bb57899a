package types

import (
	"testing"

	"pgregory.net/rapid"
)

func TestHashSlot(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x31C3 {
		t.Fatalf("crc16(123456789) = %#x, want 0x31c3", got)
	}
	// Slots as redis-cli --cluster and the cluster specification have them.
	tests := []struct {
		key  string
		want int
	}{
		{"", 0},
		{"foo", 12182},
		{"bar", 5061},
		{"{foo}", 12182},
		{"{foo}bar", 12182},
		{"x{foo}{bar}", 12182},
	}
	for _, tt := range tests {
		if got := HashSlot([]byte(tt.key)); got != tt.want {
			t.Errorf("HashSlot(%q) = %d, want %d", tt.key, got, tt.want)
		}
	}
}

func TestHashTag(t *testing.T) {
	tests := []struct {
		key, same string
		want      bool
	}{
		{"{user1000}.following", "{user1000}.followers", true},
		{"foo{}{bar}", "{bar}", false},          // empty tag: the whole key
		{"foo{{bar}}zap", "{bar", true},         // the tag is "{bar"
		{"foo{bar}{zap}", "bar", true},          // the first tag only
		{"foo{bar", "bar", false},               // not closed
		{"foo}bar{", "foo}bar{", true},          // closed before opened
		{"foo{}{bar}", "foo{}{bar}", true},      // whole
		{"a{\x00}b", "\x00", true},              // any bytes
		{"{user1000}.following", "user", false}, // no prefix rule
	}
	for _, tt := range tests {
		if got := HashSlot([]byte(tt.key)) == HashSlot([]byte(tt.same)); got != tt.want {
			t.Errorf("slots of %q and %q equal: %v, want %v", tt.key, tt.same, got, tt.want)
		}
	}
}

func TestCRC16OfAnyLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "b")
		var want uint16
		for _, c := range b {
			want ^= uint16(c) << 8
			for range 8 {
				carry := want&0x8000 != 0
				want <<= 1
				if carry {
					want ^= 0x1021
				}
			}
		}
		if got := crc16(b); got != want {
			t.Fatalf("crc16(%x) = %#x, want %#x", b, got, want)
		}
	})
}
