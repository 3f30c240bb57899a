package resp

import "strings"

// debugProtocol replies with a sample of one type of the protocol, so that
// clients can be tested against them.
func debugProtocol(c *client, args [][]byte) {
	switch strings.ToLower(string(args[2])) {
	case "string":
		c.bulkString("Hello World")
	case "integer":
		c.int(12345)
	case "double":
		c.double(3.141)
	case "bignum":
		c.bigNumber("1234567999999999999999999999999999999")
	case "null":
		c.null()
	case "array":
		c.array(3)
		c.ints(0, 1, 2)
	case "set":
		c.setHeader(3)
		c.ints(0, 1, 2)
	case "map":
		c.mapHeader(3)
		for i := range int64(3) {
			c.int(i)
			c.bool(i == 1)
		}
	case "attrib":
		if c.proto == 3 {
			c.head('|', 1)
			c.bulkString("key-popularity")
			c.array(2)
			c.bulkString("key:123")
			c.int(90)
		}
		c.bulkString("Some real reply following the attribute")
	case "push":
		if c.proto != 3 {
			c.err(errNeedsRESP3)
			return
		}
		c.head('>', 2)
		c.bulkString("server-cpu-usage")
		c.int(42)
		c.bulkString("Some real reply following the push reply")
	case "verbatim":
		c.verbatim("txt", "This is a verbatim\nstring")
	case "true":
		c.bool(true)
	case "false":
		c.bool(false)
	default:
		c.err(errProtocolType)
	}
}

func (c *client) ints(list ...int64) {
	for _, n := range list {
		c.int(n)
	}
}

// bigNumber appends an integer of any size; in RESP2 a bulk string.
func (r *reply) bigNumber(digits string) {
	if r.proto != 3 {
		r.bulkString(digits)
		return
	}
	r.buf = append(r.buf, '(')
	r.buf = append(r.buf, digits...)
	r.buf = append(r.buf, '\r', '\n')
}
