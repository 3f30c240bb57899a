# redis-rb against the server at 127.0.0.1:PORT; every step is asserted.
#
# usage: matrix.rb PORT

require "redis"
require "set"

PORT = Integer(ARGV.fetch(0))
BINARY = ((0..255).to_a.pack("C*") + "\r\n$-1\r\n\0").b
WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"
$steps = 0

def same(what, got, want)
  $steps += 1
  abort "#{what}: got #{got.inspect}, want #{want.inspect}" unless got == want
end

def refused(what, text)
  got = yield
  abort "#{what}: got #{got.inspect}, want the error #{text.inspect}"
rescue Redis::CommandError => e
  same(what, e.message, text)
end

# Polls until the block holds; fails after a minute.
def till(what)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
  until yield
    abort "#{what}: not within 60 s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    sleep 0.005
  end
  $steps += 1
end

def strings(r)
  same("SET EX", r.set("s", "v", ex: 1000), "OK")
  same("TTL", r.ttl("s").between?(901, 1000), true)
  same("SET NX", r.set("s", "w", nx: true), false)
  same("SET GET KEEPTTL", r.set("s", "w", get: true, keepttl: true), "v")
  same("PERSIST", r.persist("s"), true)
  same("TTL of none", r.ttl("s"), -1)
  same("GET of none", r.get("none"), nil)
  same("binary SET", r.set(BINARY, BINARY), "OK")
  same("binary GET", r.get(BINARY).b, BINARY)
  same("MSET", r.mset("m1", 1, "m2", "two"), "OK")
  same("MGET", r.mget("m1", "none", "m2"), ["1", nil, "two"])
  same("INCRBY", r.incrby("n", 41), 41)
  same("INCRBYFLOAT", r.incrbyfloat("n", 0.5), 41.5)
  same("SET PX", r.set("gone", "v", px: 20), "OK")
  till("the key expires") { r.get("gone").nil? }
end

def hashes(r)
  same("HSET", r.hset("h", { "a" => 1, "b" => "two", "c" => "3" }), 3)
  same("HGETALL", r.hgetall("h"), { "a" => "1", "b" => "two", "c" => "3" })
  same("HMGET", r.hmget("h", "a", "none"), ["1", nil])
  same("HINCRBY", r.hincrby("h", "a", 4), 5)
  same("HDEL", r.hdel("h", "b", "none"), 1)
  same("HLEN", r.hlen("h"), 2)
end

def lists(r)
  same("RPUSH", r.rpush("l", %w[a b c]), 3)
  same("LPUSH", r.lpush("l", "z"), 4)
  same("LRANGE", r.lrange("l", 0, -1), %w[z a b c])
  same("LINSERT", r.linsert("l", "BEFORE", "b", "ab"), 5)
  same("LREM", r.lrem("l", 1, "ab"), 1)
  same("LMOVE", r.lmove("l", "l2", "RIGHT", "LEFT"), "c")
  same("LPOP", r.lpop("l", 5), %w[z a b])
  same("a list that is empty is gone", r.exists?("l"), false)
end

def blocking(r)
  waiter = Thread.new { Redis.new(port: PORT).blpop("q1", "q2", timeout: 600) }
  till("a client waits") { r.info("clients")["blocked_clients"] == "1" }
  same("RPUSH to who waits", r.rpush("q2", "served"), 1)
  same("BLPOP", waiter.value, %w[q2 served])
  same("ZADD", r.zadd("bz", 2, "m"), true)
  same("BZPOPMIN at once", r.bzpopmin("bz", timeout: 1), ["bz", "m", 2.0])
end

def sets(r)
  same("SADD", r.sadd("set1", %w[a b c a]), 3)
  same("SADD of another", r.sadd("set2", %w[b c d]), 3)
  same("SINTER", r.sinter("set1", "set2").sort, %w[b c])
  same("SUNIONSTORE", r.sunionstore("set3", "set1", "set2"), 4)
  same("SMEMBERS", r.smembers("set3").sort, %w[a b c d])
  same("SMISMEMBER", r.smismember("set1", "a", "none"), [true, false])
  same("SREM", r.srem("set1", %w[a none]), 1)
  same("SCARD", r.scard("set1"), 2)
end

def sorted_sets(r)
  same("ZADD", r.zadd("z", [[1, "one"], [2, "two"], [Float::INFINITY, "inf"]]), 3)
  same("ZSCORE", r.zscore("z", "inf"), Float::INFINITY)
  same("ZRANGE", r.zrange("z", 0, 1, with_scores: true), [["one", 1.0], ["two", 2.0]])
  same("ZRANGEBYSCORE", r.zrangebyscore("z", "(1", "+inf", limit: [0, 1]), %w[two])
  same("ZREVRANGEBYSCORE", r.zrevrangebyscore("z", 2, "-inf"), %w[two one])
  same("ZRANK", r.zrank("z", "inf"), 2)
  same("ZINCRBY", r.zincrby("z", 10, "one"), 11.0)
  same("ZPOPMIN", r.zpopmin("z"), ["two", 2.0])
  same("ZCARD", r.zcard("z"), 2)
end

def pipelines(r)
  got = r.pipelined { |pipe| 1000.times { |i| pipe.set("p:#{i}", i) } }
  same("a pipeline of SETs", got, ["OK"] * 1000)
  refused("an error in a pipeline", "ERR value is not an integer or out of range") do
    r.pipelined do |pipe|
      pipe.set("p:text", "abc")
      pipe.incr("p:text")
      pipe.append("p:text", "d")
    end
  end
  same("a pipeline goes on after an error", r.get("p:text"), "abcd")
end

def transactions(r)
  same("MULTI", r.multi { |tx| [tx.set("t", 1), tx.incr("t"), tx.rpush("tl", "a")] }, ["OK", 2, 1])
  same("EXEC after WATCH", r.watch("t") { r.multi { |tx| tx.incr("t") } }, [3])
  other = Redis.new(port: PORT)
  got = r.watch("t") do
    other.set("t", 10)
    r.multi { |tx| tx.incr("t") }
  end
  same("EXEC after a write of another client", got, nil)
  same("nothing of it was done", r.get("t"), "10")
  other.close
end

def scans(r)
  same("SCAN", r.scan_each(match: "p:*", count: 37).to_set.size, 1001)
  same("SCAN TYPE", r.scan_each(match: "set*", type: "set").sort.uniq, %w[set1 set2 set3])
  same("HSET of many", r.hset("big:h", (0...1000).to_h { |i| ["f#{i}", i] }), 1000)
  same("HSCAN", r.hscan_each("big:h", count: 37).to_set.size, 1000)
  same("SADD of many", r.sadd("big:s", (0...1000).to_a), 1000)
  same("SSCAN", r.sscan_each("big:s", count: 37).to_set.size, 1000)
  same("ZADD of many", r.zadd("big:z", (0...1000).map { |i| [i, "m#{i}"] }), 1000)
  same("ZSCAN", r.zscan_each("big:z", count: 37).to_set.sum(&:last), 499_500.0)
end

def dumps(r)
  payload = nil
  [BINARY, "n", "l2", "h", "set3", "z", "big:h", "big:s", "big:z"].each do |key|
    payload = r.dump(key)
    same("RESTORE", r.restore("copy", 50_000, payload, replace: true), "OK")
    same("TYPE of a copy", r.type("copy"), r.type(key))
  end
  r.restore("copy", 0, r.dump(BINARY), replace: true)
  same("a restored string", r.get("copy").b, BINARY)
  refused("RESTORE of what is there", "BUSYKEY Target key name already exists.") { r.restore("n", 0, payload) }
  refused("RESTORE of what is cut", "ERR DUMP payload version or checksum are wrong") do
    r.restore("cut", 0, payload.byteslice(0...-1))
  end
end

def errors(r)
  refused("LPUSH to a hash", WRONG) { r.lpush("h", "x") }
  refused("GET of a set", WRONG) { r.get("set3") }
  refused("arity", "ERR wrong number of arguments for 'get' command") { r.call("GET") }
  refused("unknown", "ERR unknown command 'BOGUS', with args beginning with: 'x'") { r.call("BOGUS", "x") }
  refused("not a float", "ERR value is not a valid float") { r.zadd("z", "x", "m") }
  refused("LSET", "ERR index out of range") { r.lset("l2", 9, "x") }
  refused("no key", "ERR no such key") { r.rename("none", "other") }
end

r = Redis.new(port: PORT, id: "matrix-rb")
same("PING", r.ping, "PONG")
%i[strings hashes lists blocking sets sorted_sets pipelines transactions scans dumps errors].each { |part| send(part, r) }
same("FLUSHALL", [r.flushall, r.dbsize], ["OK", 0])
r.close
puts "redis-rb #{Redis::VERSION}: #{$steps} steps"
