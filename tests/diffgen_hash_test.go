package tests

// hash makes a command about a hash.
func (g gen) hash() []string {
	k, f := g.of("hash"), g.member()
	switch g.IntN(22) {
	case 0, 1, 2, 3:
		args := []string{g.pick("HSET", "HSET", "HMSET"), k}
		for range 1 + g.IntN(6) {
			args = append(args, g.member(), g.small())
		}
		return args
	case 4:
		return []string{"HSETNX", k, f, g.small()}
	case 5, 6:
		return []string{"HGET", k, f}
	case 7:
		return g.some([]string{"HMGET", k}, g.member)
	case 8, 9:
		return []string{g.pick("HGETALL", "HKEYS", "HVALS", "HLEN"), k}
	case 10:
		return []string{"HLEN", k}
	case 11:
		return []string{g.pick("HSTRLEN", "HEXISTS"), k, f}
	case 12, 13, 14:
		return g.some([]string{"HDEL", k}, g.member)
	case 15, 16:
		return []string{"HINCRBY", k, g.member(), g.int()}
	case 17, 18:
		return []string{"HINCRBYFLOAT", k, g.member(), g.float()}
	case 19:
		return g.scan("HSCAN", k)
	case 20:
		return []string{"HRANDFIELD", k, g.randomCount(), g.pick("WITHVALUES", "BOGUS", "WITHSCORES")}
	default:
		return []string{"OBJECT", "ENCODING", k}
	}
}
