package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// loadRow is one load's runs, redis's and ours.
type loadRow struct {
	load load
	runs [2][]measurement
}

type memoryRow struct {
	size int
	memory
}

// report collects the results.
type report struct {
	o       options
	machine []string
	rows    []*loadRow
	memory  [2][]memoryRow
}

// machineInfo says where the figures were measured.
func machineInfo(ctx context.Context, o options) []string {
	info := []string{
		"date: " + time.Now().UTC().Format(time.DateOnly),
		fmt.Sprintf("processors: %d, %s", runtime.NumCPU(), procField("/proc/cpuinfo", "model name")),
		"memory: " + procField("/proc/meminfo", "MemTotal"),
		"go: " + runtime.Version(),
	}
	for _, cmd := range [][]string{{"uname", "-sr"}, {o.redis, "--version"}, {"git", "describe", "--always", "--dirty"}} {
		if out, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output(); err == nil {
			info = append(info, cmd[0]+": "+strings.TrimSpace(string(out)))
		}
	}
	return info
}

// procField returns what follows a name and a colon in a file of /proc.
func procField(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// markdown is the whole report.
func (r *report) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Benchmarks\n\nMedians of %d interleaved rounds beside redis-server (appendonly yes, appendfsync everysec), %d clients,\n%d keys, client and server on one machine. A ratio is ours to Redis's: for throughput more is better, for\nprocessor time, latency, memory and disk less.\n\nWritten by `make bench-full`; a row of the table is\n\n    redis-benchmark %s\n\n",
		r.o.rounds, clients, r.o.keys, strings.Join(load{"set", 16, 64, 600_000}.args(r.o, 6379), " "))
	for _, line := range r.machine {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	out.WriteString("\n## Throughput, processor time, latency\n\n")
	out.WriteString("| load | op/s Redis | op/s bitkv | ratio | CPU us/op Redis | bitkv | ratio | p99 ms Redis | bitkv |\n")
	out.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, row := range r.rows {
		ops := row.medians(func(m measurement) float64 { return m.perSecond })
		cpu := row.medians(func(m measurement) float64 { return m.cpuMicros })
		p99 := row.medians(func(m measurement) float64 { return m.p99Ms })
		fmt.Fprintf(&out, "| %s | %.0f | %.0f | **%.2f** | %.2f | %.2f | %.2f | %.2f | %.2f |\n",
			row.load.name(), ops[0], ops[1], ops[1]/ops[0], cpu[0], cpu[1], cpu[1]/cpu[0], p99[0], p99[1])
	}
	fmt.Fprintf(&out, "\n## Memory and disk after loading %d keys of 16 bytes\n\n", r.o.keys)
	out.WriteString("RSS counts mapped file pages, which the kernel takes back when it needs them; anonymous memory does not.\n\n")
	out.WriteString("| values | RSS MiB Redis | bitkv | ratio | anonymous MiB Redis | bitkv | ratio | disk MiB Redis | bitkv | ratio |\n")
	out.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i, redis := range r.memory[0] {
		ours := r.memory[1][i]
		fmt.Fprintf(&out, "| %d B | %s | %s | %s |\n", redis.size,
			mib(redis.rss, ours.rss), mib(redis.anon, ours.anon), mib(redis.disk, ours.disk))
	}
	return out.String()
}

func (row *loadRow) medians(figure func(measurement) float64) [2]float64 {
	return [2]float64{median(row.runs[0], figure), median(row.runs[1], figure)}
}

// mib is two sizes in MiB and the ratio of the second to the first.
func mib(redis, ours int64) string {
	return fmt.Sprintf("%.0f | %.0f | %.2f", float64(redis)/(1<<20), float64(ours)/(1<<20), float64(ours)/float64(redis))
}
