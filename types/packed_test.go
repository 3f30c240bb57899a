package types

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// items returns copies of the items of p.
func (p *packed) items() []string {
	var list []string
	for at := 0; at < len(p.buf); {
		var item []byte
		item, at = p.item(at)
		list = append(list, string(item))
	}
	return list
}

// TestPackedModel compares with a slice of strings: items of every size of the
// length field, replaced by more, fewer and larger ones at any place.
func TestPackedModel(t *testing.T) {
	sizes := []int{0, 1, 2, 5, 127, 128, 129, 300, 16_383, 16_384, 16_385}
	rapid.Check(t, func(rt *rapid.T) {
		var p packed
		var model []string
		for range rapid.IntRange(1, 30).Draw(rt, "changes") {
			from := rapid.IntRange(0, len(model)).Draw(rt, "from")
			n := rapid.IntRange(0, min(3, len(model)-from)).Draw(rt, "removed")
			var items [][]byte
			var texts []string
			for range rapid.IntRange(0, 3).Draw(rt, "added") {
				letter := rapid.StringMatching("[a-c]").Draw(rt, "letter")
				texts = append(texts, strings.Repeat(letter, rapid.SampledFrom(sizes).Draw(rt, "size")))
				items = append(items, []byte(texts[len(texts)-1]))
			}
			next := p.replace(p.skip(0, from), n, items...)
			model = slices.Replace(model, from, from+n, texts...)
			if want := p.skip(0, from+len(texts)); next != want {
				rt.Fatalf("replace returned place %d, want %d", next, want)
			}
			if got := p.items(); !slices.Equal(got, model) || p.n != len(model) {
				rt.Fatalf("%d items %.200q, want %.200q", p.n, got, model)
			}
			checkPacked(rt, &p, model)
		}
	})
}

func checkPacked(rt *rapid.T, p *packed, model []string) {
	size := 0
	for _, text := range model {
		size += itemBytes(len(text))
	}
	if size != len(p.buf) {
		rt.Fatalf("%d bytes, itemBytes says %d", len(p.buf), size)
	}
	parsed, err := parsePacked(p.buf, 1)
	if len(model) == 0 {
		if !errors.Is(err, ErrCorrupt) {
			rt.Fatalf("an empty collection: %v, want %v", err, ErrCorrupt)
		}
		return
	}
	if err != nil || parsed.n != p.n {
		rt.Fatalf("parsed %d items, %v; want %d", parsed.n, err, p.n)
	}
	for _, want := range []string{model[0], model[len(model)-1], "missing"} {
		at, ok := p.find([]byte(want), 1)
		if i := slices.Index(model, want); (i >= 0) != ok || ok && at != p.skip(0, i) {
			rt.Fatalf("find %.20q: place %d, %v; it is number %d", want, at, ok, i)
		}
	}
}

func TestPackedDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		value  string
		stride int
	}{
		"empty":                   {"", 1},
		"odd number of items":     {"\x01a\x01b\x01c", 2},
		"item behind the end":     {"\x02a", 1},
		"length without an end":   {"\x80", 1},
		"long length, no bytes":   {"\x80\x01", 1},
		"length of 2^63":          {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01a", 1},
		"length over 64 bits":     {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fa", 1},
		"length of too many byte": {"\x81\x80\x80\x80\x80\x00a", 1},
	} {
		if p, err := parsePacked([]byte(tt.value), tt.stride); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d items, %v; want %v", name, p.n, err, ErrCorrupt)
		}
	}
}

func FuzzParsePacked(f *testing.F) {
	f.Add([]byte("\x01a\x02bc"), 2)
	f.Add([]byte("\x80\x01"), 1)
	f.Fuzz(func(t *testing.T, value []byte, stride int) {
		if stride < 1 || stride > 3 {
			return
		}
		p, err := parsePacked(value, stride)
		if err != nil {
			return
		}
		if n := len(p.items()); n != p.n || n%stride != 0 {
			t.Errorf("%d items, counted %d, stride %d", n, p.n, stride)
		}
		p.find([]byte("nowhere"), stride)
	})
}
