package main

import (
	"math"
	"testing"

	"bitkv/resp"
)

func TestGCPercent(t *testing.T) {
	for _, tt := range []struct {
		name       string
		gogc, live int64
		want       int
	}{
		{"off", 0, 1 << 30, -1},
		{"a small heap may double many times", 15, 8 << 20, 400},
		{"the runtime takes no heap for smaller than 4 MB", 15, 2 << 20, 800},
		{"nothing is known yet", 15, 0, 800},
		{"the floor is what counts", 15, 64 << 20, 50},
		{"the share is what counts", 15, 1 << 30, 15},
		{"a higher share", 100, 64 << 20, 100},
	} {
		if got := gcPercent(tt.gogc, tt.live); got != tt.want {
			t.Errorf("%s: gcPercent(%d, %d) = %d, want %d", tt.name, tt.gogc, tt.live, got, tt.want)
		}
	}
}

func TestGOGCNow(t *testing.T) {
	for _, tt := range []struct {
		gogc    int64
		loading bool
		want    int64
	}{
		{15, false, 15},
		{15, true, 100},
		{200, true, 200},
		{0, true, 0},
	} {
		if got := gogcNow(tt.gogc, tt.loading); got != tt.want {
			t.Errorf("gogcNow(%d, %v) = %d, want %d", tt.gogc, tt.loading, got, tt.want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, tt := range []struct{ memLimit, maxMemory, want int64 }{
		{0, 0, math.MaxInt64},
		{0, math.MaxInt64, math.MaxInt64},
		{1 << 30, 1 << 20, 1 << 30},
		{0, 100 << 20, 228 << 20},
		{0, 4 << 30, 5 << 30},
	} {
		if got := memoryLimit(&resp.Settings{GoMemLimit: tt.memLimit, MaxMemory: tt.maxMemory}); got != tt.want {
			t.Errorf("go-memlimit %d, maxmemory %d: %d, want %d", tt.memLimit, tt.maxMemory, got, tt.want)
		}
	}
}

func TestDiffers(t *testing.T) {
	for _, tt := range []struct {
		percent, set int
		want         bool
	}{
		{100, 0, true},
		{-1, 0, true},
		{-1, -1, false},
		{100, -1, true},
		{-1, 100, true},
		{100, 100, false},
		{105, 100, false},
		{95, 100, false},
		{120, 100, true},
		{80, 100, true},
	} {
		if got := differs(tt.percent, tt.set); got != tt.want {
			t.Errorf("differs(%d, %d) = %v", tt.percent, tt.set, got)
		}
	}
}

func TestHasSurplus(t *testing.T) {
	for _, tt := range []struct {
		heap, used int64
		want       bool
	}{
		{30 << 20, 20 << 20, false},
		{40 << 20, 20 << 20, true},
		{1 << 30, 960 << 20, false},
		{1 << 30, 900 << 20, true},
	} {
		if got := hasSurplus(tt.heap, tt.used); got != tt.want {
			t.Errorf("hasSurplus(%d, %d) = %v", tt.heap, tt.used, got)
		}
	}
}

func TestWantsCollection(t *testing.T) {
	for _, tt := range []struct {
		live, used, gogc int64
		want             bool
	}{
		{10 << 20, 1 << 20, 15, false},   // not worth it
		{100 << 20, 90 << 20, 15, false}, // what is not counted
		{100 << 20, 60 << 20, 15, true},
		{1 << 30, 900 << 20, 15, false},
		{1 << 30, 800 << 20, 15, true},
		{100 << 20, 120 << 20, 15, false}, // it has grown
	} {
		if got := wantsCollection(tt.live, tt.used, tt.gogc); got != tt.want {
			t.Errorf("wantsCollection(%d, %d, %d) = %v", tt.live, tt.used, tt.gogc, got)
		}
	}
}
