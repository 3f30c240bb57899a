package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"time"
)

// A cache under a Zipf trace: GET, and on a miss SET, of keys of which few are asked
// for much more often than the others. What counts is the share of hits.
const (
	zipfKeys   = 500_000
	zipfSkew   = 1.05
	zipfMemory = 8 << 20
	zipfBatch  = 100
	zipfSeed   = 7
)

// zipfCache is one row: a policy and a size of values, with as much memory as Redis
// or with as many keys.
type zipfCache struct {
	policy    string
	valueSize int
	equalKeys bool
}

func zipfCaches() (all []zipfCache) {
	for _, equalKeys := range []bool{false, true} {
		for _, policy := range []string{"allkeys-lru", "allkeys-lfu"} {
			for _, size := range []int{64, 1024} {
				if !equalKeys || size == 64 { // keys take the same, whatever the values
					all = append(all, zipfCache{policy, size, equalKeys})
				}
			}
		}
	}
	return all
}

func (z zipfCache) name() string {
	what := "equal memory"
	if z.equalKeys {
		what = "equal keys"
	}
	return fmt.Sprintf("%s, values of %d B, %s", z.policy, z.valueSize, what)
}

// cacheSection is how well the two servers choose what to keep.
func cacheSection() *section {
	s := &section{name: "cache", cost: 3 * time.Minute, run: runCache}
	for _, z := range zipfCaches() {
		s.rows = append(s.rows, z.name())
	}
	s.short = s.rows[:1]
	return s
}

func runCache(ctx context.Context, e *env) (*table, error) {
	t := &table{
		Title: "Hits of a cache under a Zipf trace", Base: "Redis", Ours: "bitkv",
		Intro: fmt.Sprintf("GET, and SET on a miss, of %d keys (exponent %v, the same trace for both), after as many to warm up. Equal memory: both\n"+
			"with maxmemory %d MB; values are not in memory here. Equal keys: ours with as much as keeps the same number of keys.",
			zipfKeys, zipfSkew, zipfMemory>>20),
		Columns: []column{{"hits", "%"}, {"keys kept", ""}},
	}
	bars := []bar{differenceAtLeast(-2)}
	bars[0].Source = "issue 4"
	var errs []error
	for _, z := range zipfCaches() {
		if !e.wants(z.name()) || ctx.Err() != nil {
			continue
		}
		r := row{Name: z.name(), Cells: []cell{{Bars: bars}, {}}}
		if err := e.zipfRow(ctx, z, &r); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", z.name(), err))
			continue
		}
		t.add(r)
		e.progress("%s: %.2f%% and %.2f%%", z.name(), median(r.Cells[0].Base), median(r.Cells[0].Ours))
	}
	return t, errors.Join(append(errs, ctx.Err())...)
}

// zipfRow measures one row, once: the trace is the same every time.
func (e *env) zipfRow(ctx context.Context, z zipfCache, r *row) (err error) {
	args := []string{"--maxmemory-policy", z.policy, "--maxmemory", strconv.Itoa(zipfMemory)}
	base, err := e.start(ctx, redis, args...)
	if err != nil {
		return err
	}
	ours, err := e.start(ctx, bitkv, args...)
	if err != nil {
		return errors.Join(err, base.stop())
	}
	defer func() { err = errors.Join(err, base.stop(), ours.stop()) }()
	baseHits, baseKeys, err := base.zipf(ctx, z)
	if err != nil {
		return err
	}
	hits, keys, err := ours.zipf(ctx, z)
	if err == nil && z.equalKeys {
		hits, keys, err = ours.zipfWithKeys(ctx, z, baseKeys, keys)
	}
	if err != nil {
		return err
	}
	r.Cells[0].Base, r.Cells[0].Ours = []float64{baseHits}, []float64{hits}
	r.Cells[1].Base, r.Cells[1].Ours = []float64{float64(baseKeys)}, []float64{float64(keys)}
	return nil
}

// zipfWithKeys is zipf with the memory that keeps about so many keys; with the
// memory that the server has now it keeps have.
func (s *server) zipfWithKeys(ctx context.Context, z zipfCache, want, have int) (hits float64, keys int, err error) {
	overhead, err := s.infoNumber("memory", "used_memory_overhead")
	if err != nil {
		return 0, 0, err
	}
	data, err := s.infoNumber("memory", "used_memory_dataset")
	if err != nil {
		return 0, 0, err
	}
	uncounted, err := s.infoNumber("memory", "mem_not_counted_for_evict") // is overhead
	if err != nil {
		return 0, 0, err
	}
	if _, err := s.do("FLUSHALL"); err != nil {
		return 0, 0, err
	}
	limit := overhead - uncounted + data*float64(want)/float64(have)
	if _, err := s.do("CONFIG", "SET", "maxmemory", strconv.Itoa(int(limit))); err != nil {
		return 0, 0, err
	}
	return s.zipf(ctx, z)
}

// infoNumber is info for a number.
func (s *server) infoNumber(section, field string) (float64, error) {
	text, err := s.info(section, field)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// zipf runs the trace, twice as long as there are keys, and returns the share of
// hits in its second half, in percent, and how many keys are there then.
func (s *server) zipf(ctx context.Context, z zipfCache) (hits float64, keys int, err error) {
	c, err := s.dial()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	value := strings.Repeat("v", z.valueSize)
	trace := rand.NewZipf(rand.New(rand.NewSource(zipfSeed)), zipfSkew, 1, zipfKeys-1)
	found := 0
	for done := 0; done < 2*zipfKeys; done += zipfBatch {
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		n, err := c.zipfBatch(trace, value)
		if err != nil {
			return 0, 0, err
		}
		if done >= zipfKeys {
			found += n
		}
	}
	size, err := s.do("DBSIZE")
	if err != nil {
		return 0, 0, err
	}
	keys, err = strconv.Atoi(size)
	return 100 * float64(found) / zipfKeys, keys, err
}

// zipfBatch asks for some keys in one go, sets those that are missing in another,
// and returns how many were there.
func (c *conn) zipfBatch(trace *rand.Zipf, value string) (found int, err error) {
	var keys [zipfBatch]string
	c.buf = c.buf[:0]
	for i := range keys {
		// Spread over the name space, so that likely keys are not neighbours.
		keys[i] = fmt.Sprintf("key:%012d", trace.Uint64()*7919%zipfKeys)
		c.buf = appendCommand(c.buf, "GET", keys[i])
	}
	if _, err := c.Write(c.buf); err != nil {
		return 0, err
	}
	missing := keys[:0:0]
	for i := range keys {
		got, err := c.reply(0)
		if err != nil {
			return 0, err
		}
		if got == "" {
			missing = append(missing, keys[i])
		}
	}
	c.buf = c.buf[:0]
	for _, key := range missing {
		c.buf = appendCommand(c.buf, "SET", key, value)
	}
	if _, err := c.Write(c.buf); err != nil {
		return 0, err
	}
	for range missing {
		if _, err := c.reply(0); err != nil {
			return 0, err
		}
	}
	return zipfBatch - len(missing), nil
}
