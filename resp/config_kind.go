package resp

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// kind is how the values of a directive are written: what Redis calls its type.
// Values are kept as any of one Go type per kind; access moves them in and out
// of Settings. The texts of errors are Redis's, which clients and tests match on.
type kind interface {
	// parse reads the words of a value. old is the value that it replaces, for
	// the kinds that change only a part of it; it may be nil.
	parse(words []string, old any) (any, error)
	// format is the value as CONFIG GET prints it.
	format(v any) string
	// describe says in documentation which values are taken.
	describe() string
}

// access is where the value of a directive lives.
type access struct {
	load  func(*Settings) any
	store func(*Settings, any)
}

// field is the access of a value of type T that lives in a field of Settings.
func field[T any](f func(*Settings) *T) access {
	return access{
		load:  func(s *Settings) any { return *f(s) },
		store: func(s *Settings, v any) { *f(s) = v.(T) },
	}
}

// word is field for a string type of its own.
func word[T ~string](f func(*Settings) *T) access {
	return access{
		load:  func(s *Settings) any { return string(*f(s)) },
		store: func(s *Settings, v any) { *f(s) = T(v.(string)) },
	}
}

// keptValue is the access of a value that nothing reads.
func keptValue(name string) access {
	return access{
		load:  func(s *Settings) any { return s.kept[name] },
		store: func(s *Settings, v any) { s.kept[name] = v },
	}
}

var errWordCount = errors.New("wrong number of arguments")

// single returns the one word that most kinds take.
func single(words []string) (string, error) {
	if len(words) != 1 {
		return "", errWordCount
	}
	return words[0], nil
}

// boolKind is yes or no: a bool.
type boolKind struct{}

func (boolKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(w) {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	}
	return nil, errors.New("argument must be 'yes' or 'no'")
}

func (boolKind) format(v any) string {
	if v.(bool) {
		return "yes"
	}
	return "no"
}

func (boolKind) describe() string { return "yes, no" }

// intKind is a decimal number within bounds: an int64.
type intKind struct{ min, max int64 }

func (k intKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	n, ok := parseInt([]byte(w))
	if !ok {
		return nil, errors.New("argument couldn't be parsed into an integer")
	}
	return checkBounds(n, k.min, k.max)
}

func checkBounds(n, low, high int64) (any, error) {
	if n < low || n > high {
		return nil, boundsError(low, high)
	}
	return n, nil
}

func boundsError(low, high int64) error {
	return fmt.Errorf("argument must be between %d and %d inclusive", low, high)
}

func (intKind) format(v any) string { return strconv.FormatInt(v.(int64), 10) }

func (k intKind) describe() string {
	switch {
	case k.min == math.MinInt64 && k.max == math.MaxInt64:
		return "a number"
	case k.max == math.MaxInt64:
		return fmt.Sprintf("a number from %d", k.min)
	}
	return fmt.Sprintf("%d to %d", k.min, k.max)
}

// octalKind is a file mode: an int64.
type octalKind struct{ max int64 }

func (k octalKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(w, 8, 64)
	if err != nil {
		return nil, errors.New("argument couldn't be parsed as an octal number")
	}
	if n < 0 || n > k.max {
		return nil, fmt.Errorf("argument must be between 0 and %o inclusive", k.max)
	}
	return n, nil
}

func (octalKind) format(v any) string { return strconv.FormatInt(v.(int64), 8) }

func (k octalKind) describe() string { return fmt.Sprintf("0 to %o, octal", k.max) }

// memoryKind is a number of bytes, perhaps with a unit (1gb): an int64. With
// percent, a share (5%) is taken too and is a negative number.
type memoryKind struct {
	min, max int64
	percent  bool
}

func (k memoryKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	if digits, ok := strings.CutSuffix(w, "%"); k.percent && ok {
		n, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil || n < 0:
			return nil, errors.New("argument must be a memory or percent value")
		case n > 100:
			return nil, errors.New("percentage argument must be less or equal to 100")
		}
		return -n, nil
	}
	n, err := parseMemory(w)
	switch {
	case err != nil && k.percent:
		return nil, errors.New("argument must be a memory or percent value")
	case errors.Is(err, errMemoryRange):
		return nil, boundsError(k.min, k.max)
	case err != nil:
		return nil, errors.New("argument must be a memory value")
	}
	return checkBounds(n, k.min, k.max)
}

func (k memoryKind) format(v any) string {
	n := v.(int64)
	if k.percent && n < 0 {
		return strconv.FormatInt(-n, 10) + "%"
	}
	return strconv.FormatInt(n, 10)
}

func (k memoryKind) describe() string {
	s := "bytes"
	if k.percent {
		s = "bytes or a percentage"
	}
	if k.min > 0 {
		s += " from " + formatMemory(k.min)
	}
	if k.max < math.MaxInt64 {
		s += " to " + formatMemory(k.max)
	}
	return s
}

// memoryUnits are the units of redis.conf: 1k is 1000 bytes, 1kb is 1024.
var memoryUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1000, "kb": 1 << 10,
	"m": 1000 * 1000, "mb": 1 << 20,
	"g": 1000 * 1000 * 1000, "gb": 1 << 30,
}

var (
	errMemorySyntax = errors.New("not a number of bytes")
	errMemoryRange  = errors.New("more bytes than can be counted")
)

// parseMemory reads a number of bytes with a unit of redis.conf. No digits at
// all are 0, as in Redis. The error is errMemorySyntax or errMemoryRange.
func parseMemory(w string) (int64, error) {
	digits := strings.TrimRightFunc(w, func(r rune) bool { return r < '0' || r > '9' })
	unit, ok := memoryUnits[strings.ToLower(w[len(digits):])]
	switch {
	case !ok || digits != "" && (digits[0] == '+' || digits[0] == '-'):
		return 0, errMemorySyntax
	case digits == "":
		return 0, nil
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, errMemorySyntax
	case err != nil || n > math.MaxInt64/unit:
		return 0, errMemoryRange
	}
	return n * unit, nil
}

// formatMemory writes bytes with the largest unit that loses nothing.
func formatMemory(n int64) string {
	for _, u := range []string{"gb", "mb", "kb"} {
		if unit := memoryUnits[u]; n != 0 && n%unit == 0 {
			return strconv.FormatInt(n/unit, 10) + u
		}
	}
	return strconv.FormatInt(n, 10)
}

// floatKind is a number with a fraction: a float64.
type floatKind struct{ above, max float64 }

func (k floatKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(w, 64)
	if err != nil || math.IsNaN(f) || strings.Contains(w, "_") { // Go's syntax, not C's
		return nil, errors.New("argument couldn't be parsed into a number")
	}
	if f <= k.above || f > k.max {
		return nil, fmt.Errorf("argument must be above %v and at most %v", k.above, k.max)
	}
	return f, nil
}

func (floatKind) format(v any) string { return strconv.FormatFloat(v.(float64), 'g', -1, 64) }

func (k floatKind) describe() string { return fmt.Sprintf("above %v, at most %v", k.above, k.max) }

// enumKind is one of some words: a string, in the case given here.
type enumKind struct {
	words []string
	// synonyms are taken too, for one of words.
	synonyms map[string]string
}

func oneOf(words ...string) enumKind { return enumKind{words: words} }

func (k enumKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	return k.find(w)
}

func (k enumKind) find(w string) (any, error) {
	w = strings.ToLower(w)
	if s, ok := k.synonyms[w]; ok {
		w = s
	}
	if !slices.Contains(k.words, w) {
		return nil, fmt.Errorf("argument(s) must be one of the following: %s", strings.Join(k.words, ", "))
	}
	return w, nil
}

func (enumKind) format(v any) string { return v.(string) }

func (k enumKind) describe() string { return strings.Join(k.words, ", ") }

// wordsKind is several words of a set, such as "save now": a []string. The
// first word of the set stands alone: it means none of the others.
type wordsKind struct {
	enumKind
	opposed  [2]string // which exclude each other
	conflict badValue  // what is said if both are there
}

func (k wordsKind) parse(words []string, _ any) (any, error) {
	var list []string
	for _, w := range words {
		v, err := k.find(w)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, v.(string)) {
			list = append(list, v.(string))
		}
	}
	if len(list) == 0 {
		return nil, errWordCount
	}
	if len(list) > 1 && slices.Contains(list, k.words[0]) {
		return nil, fmt.Errorf("'%s' cannot be combined with others", k.words[0])
	}
	if slices.Contains(list, k.opposed[0]) && slices.Contains(list, k.opposed[1]) {
		return nil, k.conflict
	}
	return list, nil
}

func (wordsKind) format(v any) string { return strings.Join(v.([]string), " ") }

// stringKind is any text: a string. check, when not nil, may refuse it.
type stringKind struct {
	check func(string) error
	says  string // for describe
}

func (k stringKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	if k.check != nil {
		if err := k.check(w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (stringKind) format(v any) string { return v.(string) }

func (k stringKind) describe() string {
	if k.says == "" {
		return "text"
	}
	return k.says
}
