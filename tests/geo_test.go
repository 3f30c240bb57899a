package tests

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestGeoDistances: distances of 17 digits are those of Redis, but for few whose last
// digit its C library rounds otherwise.
func TestGeoDistances(t *testing.T) {
	const places, centres = 500, 20
	rnd := rand.New(rand.NewPCG(seedOf(t, "BITKV_TEST_SEED"), 0))
	p := startTwin(t)
	place := func() (lon, lat string) {
		return fmt.Sprint(rnd.Float64()*360 - 180), fmt.Sprint(rnd.Float64()*170 - 85)
	}
	add := []string{"GEOADD", "g"}
	for i := range places {
		lon, lat := place()
		add = append(add, lon, lat, "m"+strconv.Itoa(i))
	}
	p.do(add...)
	compared, differing := 0, 0
	for range centres {
		lon, lat := place()
		p.do("GEOSEARCHSTORE", "d", "g", "FROMLONLAT", lon, lat, "BYRADIUS", "21000", "km", "STOREDIST")
		members := p.do("ZRANGE", "d", "0", "-1").texts()
		scores := make([][]string, 2)
		for i, w := range []*wire{p.ours, p.ref} {
			v, err := w.do(slices.Concat([]string{"ZMSCORE", "d"}, members)...)
			if err != nil {
				t.Fatal(err)
			}
			scores[i] = v.texts()
		}
		for i := range members {
			compared++
			if scores[0][i] == scores[1][i] {
				continue
			}
			differing++
			got, err1 := strconv.ParseFloat(scores[0][i], 64)
			want, err2 := strconv.ParseFloat(scores[1][i], 64)
			if err1 != nil || err2 != nil || math.Abs(got-want) > want*1e-15 {
				t.Errorf("distance %s, want %s", scores[0][i], scores[1][i])
			}
		}
	}
	t.Logf("%d of %d distances differ", differing, compared)
	if compared < places*centres/2 || differing > compared/50 {
		t.Errorf("%d of %d distances differ", differing, compared)
	}
}
