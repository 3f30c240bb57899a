package resp

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// The kinds of the directives whose value is several words.

// badValue says why a value is not taken, in Redis's words.
type badValue string

func (e badValue) Error() string { return string(e) }

// bindKind is the addresses to listen on: a []string.
type bindKind struct{}

func (bindKind) parse(words []string, _ any) (any, error) {
	if len(words) > 16 {
		return nil, badValue("Too many bind addresses specified.")
	}
	// bind "" means: listen on no address.
	if len(words) == 1 && words[0] == "" {
		return []string{}, nil
	}
	for _, w := range words {
		host := strings.TrimPrefix(w, "-")
		if host == "" || strings.ContainsAny(host, " \t\r\n\x00") {
			return nil, fmt.Errorf("'%s' is not an address", w)
		}
		if host != "*" && host != "::*" && net.ParseIP(host) == nil && strings.ContainsAny(host, "/*") {
			return nil, fmt.Errorf("'%s' is not an address", w)
		}
	}
	return slices.Clone(words), nil
}

func (bindKind) format(v any) string { return strings.Join(v.([]string), " ") }

func (bindKind) describe() string {
	return "addresses; `*` is all of IPv4, `::*` of IPv6; one with a leading `-` may be unavailable"
}

// saveKind is the save points: a []SavePoint. Several save lines of a file add up.
type saveKind struct{}

const errSave = badValue("Invalid save parameters")

func (saveKind) parse(words []string, old any) (any, error) {
	var points []SavePoint
	if old != nil {
		points = slices.Clone(old.([]SavePoint))
	}
	if len(words) == 1 && words[0] == "" || len(words) == 0 {
		return []SavePoint{}, nil
	}
	if len(words)%2 != 0 {
		return nil, errSave
	}
	for i := 0; i < len(words); i += 2 {
		seconds, err1 := strconv.ParseInt(words[i], 10, 64)
		changes, err2 := strconv.ParseInt(words[i+1], 10, 32)
		if err1 != nil || err2 != nil || seconds < 1 || changes < 0 {
			return nil, errSave
		}
		points = append(points, SavePoint{seconds, changes})
	}
	return points, nil
}

func (saveKind) format(v any) string {
	var b []byte
	for i, p := range v.([]SavePoint) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%d %d", p.Seconds, p.Changes)
	}
	return string(b)
}

func (saveKind) describe() string { return "pairs of seconds and changes, or `\"\"`" }

// outputKind is client-output-buffer-limit: a [3]OutputLimit. A class that is
// not named keeps its limit.
type outputKind struct{}

// clientClasses are the names of the classes, in the order of their indexes.
var clientClasses = [...]string{ClassNormal: "normal", ClassReplica: "replica", ClassPubSub: "pubsub"}

func (outputKind) parse(words []string, old any) (any, error) {
	limits, _ := old.([3]OutputLimit)
	if len(words)%4 != 0 || len(words) == 0 {
		return nil, badValue("Wrong number of arguments in buffer limit configuration.")
	}
	for ; len(words) > 0; words = words[4:] {
		name := strings.ToLower(words[0])
		if name == "slave" {
			name = "replica"
		}
		class := slices.Index(clientClasses[:], name)
		if class < 0 {
			return nil, badValue("Invalid client class specified in buffer limit configuration.")
		}
		hard, errHard := parseMemory(words[1])
		soft, errSoft := parseMemory(words[2])
		seconds, err := strconv.ParseInt(words[3], 10, 32)
		if errHard != nil || errSoft != nil || err != nil || seconds < 0 {
			return nil, badValue("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[class] = OutputLimit{hard, soft, seconds}
	}
	return limits, nil
}

func (outputKind) format(v any) string {
	var b []byte
	for class, l := range v.([3]OutputLimit) {
		name := clientClasses[class]
		if class == ClassReplica {
			name = "slave" // as Redis prints it to this day
		}
		if class > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%s %d %d %d", name, l.HardBytes, l.SoftBytes, l.SoftSec)
	}
	return string(b)
}

func (outputKind) describe() string {
	return "for each of normal, replica, pubsub: class, hard limit, soft limit, soft seconds"
}

// percentilesKind is latency-tracking-info-percentiles: a []float64.
type percentilesKind struct{}

func (percentilesKind) parse(words []string, _ any) (any, error) {
	list := []float64{}
	if len(words) == 1 && words[0] == "" {
		return list, nil
	}
	for _, w := range words {
		p, ok := parseFloat([]byte(w))
		if !ok {
			return nil, badValue("Invalid latency-tracking-info-percentiles parameters")
		}
		if p < 0 || p > 100 {
			return nil, badValue("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list = append(list, p)
	}
	return list, nil
}

func (percentilesKind) format(v any) string {
	var words []string
	for _, p := range v.([]float64) {
		words = append(words, strconv.FormatFloat(p, 'g', -1, 64))
	}
	return strings.Join(words, " ")
}

func (percentilesKind) describe() string { return "numbers from 0 to 100" }

// eventsKind is notify-keyspace-events: an EventClass.
type eventsKind struct{}

// eventLetters are the letters of the classes that A does not stand for or
// stands for, in the order in which Redis prints them.
var eventLetters = []struct {
	letter byte
	class  EventClass
}{
	{'A', EventAll},
	{'g', EventGeneric},
	{'$', EventString},
	{'l', EventList},
	{'s', EventSet},
	{'h', EventHash},
	{'z', EventZSet},
	{'x', EventExpired},
	{'e', EventEvicted},
	{'t', EventStream},
	{'d', EventModule},
	{'n', EventNew},
	{'K', EventKeyspace},
	{'E', EventKeyevent},
	{'m', EventKeyMiss},
}

func (eventsKind) parse(words []string, _ any) (any, error) {
	w, err := single(words)
	if err != nil {
		return nil, err
	}
	var set EventClass
	for i := range len(w) {
		known := false
		for _, l := range eventLetters {
			if l.letter == w[i] {
				set |= l.class
				known = true
			}
		}
		if !known {
			return nil, badValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
	}
	return set, nil
}

func (eventsKind) format(v any) string {
	set := v.(EventClass)
	var b []byte
	for _, l := range eventLetters {
		// Redis prints n, which is not part of A, only without A.
		partOfA := l.letter != 'A' && l.class&(EventAll|EventNew) != 0
		if set&l.class != l.class || partOfA && set&EventAll == EventAll {
			continue
		}
		b = append(b, l.letter)
	}
	return string(b)
}

func (eventsKind) describe() string { return "letters of `Ag$lshzxeKEtmdn`" }

// oomKind is oom-score-adj-values: a []int64 of three.
type oomKind struct{}

func (oomKind) parse(words []string, _ any) (any, error) {
	if len(words) != 3 {
		return nil, errWordCount
	}
	list := make([]int64, 0, 3)
	for _, w := range words {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil || n < -2000 || n > 2000 {
			return nil, badValue("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
		list = append(list, n)
	}
	return list, nil
}

func (oomKind) format(v any) string {
	var words []string
	for _, n := range v.([]int64) {
		words = append(words, strconv.FormatInt(n, 10))
	}
	return strings.Join(words, " ")
}

func (oomKind) describe() string { return "three numbers from -2000 to 2000" }

// pairKind is a host and a port, or nothing: a string.
type pairKind struct{}

func (pairKind) parse(words []string, _ any) (any, error) {
	if len(words) == 1 && words[0] == "" || len(words) == 2 {
		return strings.Join(words, " "), nil
	}
	return nil, errWordCount
}

func (pairKind) format(v any) string { return v.(string) }

func (pairKind) describe() string { return "host and port" }
