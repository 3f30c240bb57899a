"""redis-py against the server at 127.0.0.1:PORT; every step is asserted.

usage: matrix.py PORT
"""

import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
BINARY = bytes(range(256)) + b"\r\n$-1\r\n\x00"
steps = 0


def same(what, got, want):
    """Fail unless got is want."""
    global steps
    steps += 1
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def refused(what, text, call):
    """Fail unless call is answered with an error of exactly this text."""
    try:
        got = call()
    except redis.ResponseError as err:
        same(what, str(err), text)
    else:
        sys.exit(f"{what}: got {got!r}, want the error {text!r}")


def strings(r):
    same("SET EX", r.set("s", "v", ex=1000), True)
    same("TTL", 900 < r.ttl("s") <= 1000, True)
    same("GET", r.get("s"), b"v")
    same("SET NX", r.set("s", "w", nx=True), None)
    same("SET GET KEEPTTL", r.set("s", "w", get=True, keepttl=True), b"v")
    same("PTTL", r.pttl("s") > 900_000, True)
    same("PERSIST", r.persist("s"), True)
    same("TTL of none", r.ttl("s"), -1)
    same("GET of none", r.get("none"), None)
    same("binary SET", r.set(BINARY, BINARY), True)
    same("binary GET", r.get(BINARY), BINARY)
    same("MSET", r.mset({"m1": 1, "m2": "two"}), True)
    same("MGET", r.mget("m1", "none", "m2"), [b"1", None, b"two"])
    same("INCRBY", r.incrby("n", 41), 41)
    same("INCRBYFLOAT", r.incrbyfloat("n", 0.5), 41.5)
    same("SETBIT", r.setbit("bits", 7, 1), 0)
    same("BITCOUNT", r.bitcount("bits"), 1)
    same("PFADD", r.pfadd("hll", "a", "b", "c"), 1)
    same("PFCOUNT", r.pfcount("hll"), 3)
    same("SET PX", r.set("gone", "v", px=20), True)
    until("the key expires", lambda: r.get("gone") is None)


def until(what, holds):
    """Poll until holds() does; fail after a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within 60 s")
        time.sleep(0.005)
    same(what, True, True)


def hashes(r):
    same("HSET", r.hset("h", mapping={"a": 1, "b": "two", "c": BINARY}), 3)
    same("HGETALL", r.hgetall("h"), {b"a": b"1", b"b": b"two", b"c": BINARY})
    same("HMGET", r.hmget("h", "a", "none"), [b"1", None])
    same("HINCRBY", r.hincrby("h", "a", 4), 5)
    same("HDEL", r.hdel("h", "b", "none"), 1)
    same("HLEN", r.hlen("h"), 2)
    same("HEXISTS", r.hexists("h", "b"), False)
    same("HSTRLEN", r.hstrlen("h", "c"), len(BINARY))


def lists(r):
    same("RPUSH", r.rpush("l", "a", "b", "c", BINARY), 4)
    same("LPUSH", r.lpush("l", "z"), 5)
    same("LRANGE", r.lrange("l", 0, -1), [b"z", b"a", b"b", b"c", BINARY])
    same("LINSERT", r.linsert("l", "BEFORE", "b", "ab"), 6)
    same("LINDEX", r.lindex("l", -1), BINARY)
    same("LPOS", r.lpos("l", "c"), 4)
    same("LREM", r.lrem("l", 1, "ab"), 1)
    same("LMOVE", r.lmove("l", "l2", "RIGHT", "LEFT"), BINARY)
    same("LTRIM", r.ltrim("l", 1, 2), True)
    same("LPOP", r.lpop("l", 5), [b"a", b"b"])
    same("a list that is empty is gone", r.exists("l"), 0)


def blocking(r):
    got = []
    waiter = threading.Thread(
        target=lambda: got.append(redis.Redis(host="127.0.0.1", port=PORT).blpop(["q1", "q2"], 600)), daemon=True
    )
    waiter.start()
    until("a client waits", lambda: r.info("clients")["blocked_clients"] == 1)
    same("RPUSH to who waits", r.rpush("q2", "served"), 1)
    waiter.join(60)
    same("BLPOP", got, [(b"q2", b"served")])
    same("the element went to who waited", r.exists("q2"), 0)
    same("BLPOP in vain", r.blpop("q1", 0.01), None)
    same("ZADD", r.zadd("bz", {"m": 2}), 1)
    same("BZPOPMIN at once", r.bzpopmin("bz", 1), (b"bz", b"m", 2.0))


def sets(r):
    same("SADD", r.sadd("set1", "a", "b", "c", "a"), 3)
    same("SADD of another", r.sadd("set2", "b", "c", "d"), 3)
    same("SMEMBERS", r.smembers("set1"), {b"a", b"b", b"c"})
    same("SINTER", r.sinter("set1", "set2"), {b"b", b"c"})
    same("SUNIONSTORE", r.sunionstore("set3", "set1", "set2"), 4)
    same("SDIFF", r.sdiff("set1", "set2"), {b"a"})
    same("SMISMEMBER", r.smismember("set1", "a", "none"), [1, 0])
    same("SMOVE", r.smove("set1", "set2", "a"), True)
    same("SREM", r.srem("set2", "a", "none"), 1)
    same("SPOP", r.spop("set1") in {b"b", b"c"}, True)
    same("SCARD", r.scard("set1"), 1)


def sorted_sets(r):
    same("ZADD", r.zadd("z", {"one": 1, "two": 2, "three": 3, "inf": float("inf")}), 4)
    same("ZADD GT CH", r.zadd("z", {"one": 1.5, "two": 1}, gt=True, ch=True), 1)
    same("ZSCORE", r.zscore("z", "one"), 1.5)
    same("ZRANGE", r.zrange("z", 0, 1, withscores=True), [(b"one", 1.5), (b"two", 2.0)])
    same("ZRANGE REV", r.zrange("z", 0, 0, desc=True), [b"inf"])
    same("ZRANGEBYSCORE", r.zrangebyscore("z", "(1.5", 3), [b"two", b"three"])
    same("ZRANGEBYSCORE LIMIT", r.zrangebyscore("z", "-inf", "+inf", start=1, num=2), [b"two", b"three"])
    same("ZCOUNT", r.zcount("z", 2, "+inf"), 3)
    same("ZRANK", r.zrank("z", "three"), 2)
    same("ZREVRANK", r.zrevrank("z", "three"), 1)
    same("ZINCRBY", r.zincrby("z", 10, "one"), 11.5)
    same("ZPOPMIN", r.zpopmin("z"), [(b"two", 2.0)])
    same("ZREMRANGEBYSCORE", r.zremrangebyscore("z", 3, 3), 1)
    same("ZCARD", r.zcard("z"), 2)
    same("GEOADD", r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")), 2)
    same("GEODIST", r.geodist("g", "Palermo", "Catania", unit="km"), 166.2742)


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for i in range(1000):
        pipe.set(f"p:{i}", i)
    same("a pipeline of SETs", pipe.execute(), [True] * 1000)
    pipe.set("p:text", "abc").incr("p:text").get("p:text")
    got = pipe.execute(raise_on_error=False)
    same("a pipeline goes on after an error", (got[0], str(got[1]), got[2]),
         (True, "value is not an integer or out of range", b"abc"))


def transactions(r):
    with r.pipeline() as pipe:
        same("MULTI", pipe.set("t", 1).incr("t").rpush("tl", "a").execute(), [True, 2, 1])
        pipe.watch("t")
        pipe.multi()
        pipe.incr("t")
        same("EXEC after WATCH", pipe.execute(), [3])
        pipe.watch("t")
        same("a write of another client", r.set("t", 10), True)
        pipe.multi()
        pipe.incr("t")
        try:
            sys.exit(f"WATCH: EXEC answered {pipe.execute()!r}")
        except redis.WatchError:
            same("nothing of it was done", r.get("t"), b"10")
    same("a counter under WATCH", r.transaction(
        lambda p: p.multi() or p.incr("t"), "t"), [11])


def scans(r):
    same("SCAN", len(set(r.scan_iter(match="p:*", count=37))), 1001)
    same("SCAN TYPE", set(r.scan_iter(match="set*", _type="set")), {b"set1", b"set2", b"set3"})
    same("HSET of many", r.hset("big:h", mapping={f"f{i}": i for i in range(1000)}), 1000)
    same("HSCAN", len(dict(r.hscan_iter("big:h", count=37))), 1000)
    same("SADD of many", r.sadd("big:s", *range(1000)), 1000)
    same("SSCAN", {int(m) for m in r.sscan_iter("big:s", count=37)}, set(range(1000)))
    same("ZADD of many", r.zadd("big:z", {f"m{i}": i for i in range(1000)}), 1000)
    same("ZSCAN", sum(dict(r.zscan_iter("big:z", count=37)).values()), 499500.0)


def dumps(r):
    for key in (BINARY, "n", "l2", "h", "set3", "z", "big:h", "big:s", "big:z", "hll"):
        payload = r.dump(key)
        same(f"RESTORE of {key!r}", r.restore("copy", 500_000, payload, replace=True), b"OK")
        same(f"DUMP of the copy of {key!r}", (r.type("copy"), r.pttl("copy") > 400_000), (r.type(key), True))
    same("a restored string", (r.restore("copy", 0, r.dump(BINARY), replace=True), r.get("copy")), (b"OK", BINARY))
    same("a restored hash", (r.restore("copy", 0, r.dump("h"), replace=True), r.hgetall("copy")), (b"OK", r.hgetall("h")))
    refused("RESTORE of what is there", "BUSYKEY Target key name already exists.", lambda: r.restore("n", 0, payload))
    refused("RESTORE of what is cut", "DUMP payload version or checksum are wrong",
            lambda: r.restore("cut", 0, payload[:-1]))


def errors(r):
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    refused("LPUSH to a hash", wrong, lambda: r.lpush("h", "x"))
    refused("GET of a set", wrong, lambda: r.get("set3"))
    refused("ZADD to a string", wrong, lambda: r.zadd("n", {"m": 1}))
    refused("arity", "wrong number of arguments for 'get' command", lambda: r.execute_command("GET"))
    refused("unknown", "unknown command 'BOGUS', with args beginning with: 'x' ",
            lambda: r.execute_command("BOGUS", "x"))
    refused("not a float", "value is not a valid float", lambda: r.execute_command("ZADD", "z", "x", "m"))
    refused("LSET", "index out of range", lambda: r.lset("l2", 9, "x"))
    refused("no key", "no such key", lambda: r.rename("none", "other"))
    refused("HINCRBY", "hash value is not an integer", lambda: r.hincrby("h", "c", 1))


def main():
    r = redis.Redis(host="127.0.0.1", port=PORT, client_name="matrix-py")
    same("PING", r.ping(), True)
    same("CLIENT GETNAME", r.client_getname(), "matrix-py")
    same("INFO", r.info()["redis_mode"], "standalone")
    for part in (strings, hashes, lists, blocking, sets, sorted_sets, pipelines, transactions, scans, dumps, errors):
        part(r)
    same("another database", redis.Redis(host="127.0.0.1", port=PORT, db=9).dbsize(), 0)
    same("FLUSHALL", (r.flushall(), r.dbsize()), (True, 0))
    print(f"redis-py {redis.__version__}: {steps} steps")


main()
