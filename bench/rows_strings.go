package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// What the loads on single keys must reach, by the project's issue 4.
var (
	singleBars = loadBars{throughput: issue4(atLeast(1.0)), cpu: issue4(atMost(1.0))}
	write16    = loadBars{throughput: issue4(atLeast(1.4)), cpu: issue4(atMost(0.7))}
	get16      = loadBars{throughput: issue4(atLeast(1.1)), cpu: issue4(atMost(0.95))}
	other16    = loadBars{throughput: issue4(atLeast(1.1)), cpu: issue4(atMost(1.0))}
)

func issue4(b bar) []bar {
	b.Source = "issue 4"
	return []bar{b}
}

// stringsSection is PING and the commands on single keys, with values of 64 B and
// of 1 KiB.
func stringsSection() *section {
	return loadSection("strings", 5*time.Minute, table{
		Title: "Strings",
		Intro: "Keys of 16 bytes; MSET writes ten of them, and its figures are per MSET. All keys exist before the first run.",
	}, stringLoads)
}

func stringLoads(o options) []load {
	var out []load
	for _, pipeline := range []int{1, 16} {
		one := func(many loadBars) loadBars { return pick(pipeline == 1, singleBars, many) }
		out = append(
			out,
			load{name: "PING", test: "ping_mbulk", bars: one(other16), short: true},
			load{name: "SET 64 B", test: "set", size: 64, ready: keys(64), bars: one(write16), short: true},
			load{name: "GET 64 B", test: "get", size: 64, ready: keys(64), bars: one(get16), short: true},
			load{name: "INCR", test: "incr", ready: counters, bars: one(write16), short: true},
			load{name: "MSET 10x64 B", test: "mset", size: 64, ready: keys(64), short: pipeline == 16, bars: loadBars{
				throughput: pick(pipeline == 1, nil, issue4(atLeast(1.3))),
			}},
		)
		for i := range out[len(out)-5:] {
			out[len(out)-5+i].pipeline = pipeline
		}
	}
	// The values of 1 KiB come last, for they replace those of 64 B.
	for _, pipeline := range []int{1, 16} {
		out = append(
			out,
			load{name: "SET 1 KiB", test: "set", size: 1024, pipeline: pipeline, ready: keys(1024), short: pipeline == 16, bars: loadBars{
				throughput: pick(pipeline == 1, nil, issue4(atLeast(1.3))),
			}},
			load{name: "GET 1 KiB", test: "get", size: 1024, pipeline: pipeline, ready: keys(1024), bars: loadBars{throughput: issue4(atLeast(1.0))}},
			load{name: "MSET 10x1 KiB", test: "mset", size: 1024, pipeline: pipeline, ready: keys(1024)},
		)
	}
	for i := range out {
		out[i].space = o.keys
	}
	return out
}

// keys is every key that redis-benchmark's tests set and get.
func keys(size int) *fixture {
	return &fixture{fmt.Sprintf("keys of %d B", size), func(ctx context.Context, o options, s *server) error {
		value := strings.Repeat("x", size)
		return s.fill(ctx, o.keys, func(buf []byte, i int) []byte {
			return appendCommand(buf, "SET", fmt.Sprintf("key:%012d", i), value)
		})
	}}
}

var counters = &fixture{"counters", func(ctx context.Context, o options, s *server) error {
	return s.fill(ctx, o.keys, func(buf []byte, i int) []byte {
		return appendCommand(buf, "INCR", fmt.Sprintf("counter:%012d", i))
	})
}}
