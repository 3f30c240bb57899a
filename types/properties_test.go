package types

import (
	"flag"
	"testing"

	"bitkv/internal/testenv"
)

func init() { testenv.FixProperties() }

// The property tests are the same ones in every run, unless another seed is asked for.
func TestPropertiesHaveASeed(t *testing.T) {
	t.Setenv("BITKV_RAPID_SEED", "")
	set := flag.Lookup("rapid.seed").Value
	was := set.String()
	defer func() {
		if err := set.Set(was); err != nil {
			t.Error(err)
		}
	}()
	testenv.FixProperties()
	if got := set.String(); got != "1" {
		t.Errorf("the seed is %s, want 1", got)
	}
	t.Setenv("BITKV_RAPID_SEED", "random")
	testenv.FixProperties()
	if got := set.String(); got != "0" {
		t.Errorf("the seed is %s, want 0, rapid's random one", got)
	}
}
