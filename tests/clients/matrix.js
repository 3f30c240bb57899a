// ioredis against the server at 127.0.0.1:PORT, over RESP2 and over RESP3; every
// step is asserted.
//
// usage: matrix.js PORT, with ioredis in NODE_PATH

'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');

const port = Number(process.argv[2]);
const BINARY = Buffer.concat([Buffer.from([...Array(256).keys()]), Buffer.from('\r\n$-1\r\n\0')]);
const WRONG = 'WRONGTYPE Operation against a key holding the wrong kind of value';
let steps = 0;

function same(what, got, want) {
  steps++;
  assert.deepEqual(got, want, what);
}

async function refused(what, text, promise) {
  steps++;
  await assert.rejects(promise, { message: text }, what);
}

async function until(what, holds) {
  const deadline = Date.now() + 60000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  steps++;
}

async function all(stream) {
  const seen = [];
  for await (const page of stream) seen.push(...page);
  return seen;
}

async function strings(r) {
  same('SET EX', await r.set('s', 'v', 'EX', 1000), 'OK');
  const ttl = await r.ttl('s');
  same('TTL', ttl > 900 && ttl <= 1000, true);
  same('SET NX', await r.set('s', 'w', 'NX'), null);
  same('SET GET KEEPTTL', await r.set('s', 'w', 'KEEPTTL', 'GET'), 'v');
  same('PERSIST', await r.persist('s'), 1);
  same('TTL of none', await r.ttl('s'), -1);
  same('GET of none', await r.get('none'), null);
  same('binary SET', await r.set(BINARY, BINARY), 'OK');
  same('binary GET', await r.getBuffer(BINARY), BINARY);
  same('MSET', await r.mset({ m1: 1, m2: 'two' }), 'OK');
  same('MGET', await r.mget('m1', 'none', 'm2'), ['1', null, 'two']);
  same('INCRBY', await r.incrby('n', 41), 41);
  same('INCRBYFLOAT', String(await r.incrbyfloat('n', 0.5)), '41.5');
  same('SET PX', await r.set('gone', 'v', 'PX', 20), 'OK');
  await until('the key expires', async () => (await r.get('gone')) === null);
}

async function hashes(r) {
  same('HSET', await r.hset('h', { a: 1, b: 'two', c: BINARY }), 3);
  same('HGETALL', Object.keys(await r.hgetall('h')).sort(), ['a', 'b', 'c']);
  same('HGET binary', await r.hgetBuffer('h', 'c'), BINARY);
  same('HMGET', await r.hmget('h', 'a', 'none'), ['1', null]);
  same('HINCRBY', await r.hincrby('h', 'a', 4), 5);
  same('HDEL', await r.hdel('h', 'b', 'none'), 1);
  same('HLEN', await r.hlen('h'), 2);
}

async function lists(r) {
  same('RPUSH', await r.rpush('l', 'a', 'b', 'c'), 3);
  same('LPUSH', await r.lpush('l', 'z'), 4);
  same('LRANGE', await r.lrange('l', 0, -1), ['z', 'a', 'b', 'c']);
  same('LINSERT', await r.linsert('l', 'BEFORE', 'b', 'ab'), 5);
  same('LREM', await r.lrem('l', 1, 'ab'), 1);
  same('LMOVE', await r.lmove('l', 'l2', 'RIGHT', 'LEFT'), 'c');
  same('LPOP', await r.lpop('l', 5), ['z', 'a', 'b']);
  same('a list that is empty is gone', await r.exists('l'), 0);
}

async function blocking(r) {
  const waiter = r.duplicate();
  const popped = waiter.blpop('q1', 'q2', 600);
  await until('a client waits', async () => /\r\nblocked_clients:1\r\n/.test(await r.info('clients')));
  same('RPUSH to who waits', await r.rpush('q2', 'served'), 1);
  same('BLPOP', await popped, ['q2', 'served']);
  same('BLPOP in vain', await waiter.blpop('q1', 0.01), null);
  same('ZADD', await r.zadd('bz', 2, 'm'), 1);
  same('BZPOPMIN at once', (await waiter.bzpopmin('bz', 1)).map(String), ['bz', 'm', '2']);
  await waiter.quit();
}

async function sets(r) {
  same('SADD', await r.sadd('set1', 'a', 'b', 'c', 'a'), 3);
  same('SADD of another', await r.sadd('set2', 'b', 'c', 'd'), 3);
  same('SINTER', (await r.sinter('set1', 'set2')).sort(), ['b', 'c']);
  same('SUNIONSTORE', await r.sunionstore('set3', 'set1', 'set2'), 4);
  same('SMEMBERS', (await r.smembers('set3')).sort(), ['a', 'b', 'c', 'd']);
  same('SMISMEMBER', await r.smismember('set1', 'a', 'none'), [1, 0]);
  same('SREM', await r.srem('set1', 'a', 'none'), 1);
  same('SCARD', await r.scard('set1'), 2);
}

async function sortedSets(r) {
  same('ZADD', await r.zadd('z', 1, 'one', 2, 'two', 3, 'three'), 3);
  same('ZADD GT CH', await r.zadd('z', 'GT', 'CH', 1.5, 'one', 1, 'two'), 1);
  same('ZSCORE', String(await r.zscore('z', 'one')), '1.5');
  same('ZRANGE', await r.zrange('z', 0, 1), ['one', 'two']);
  same('ZRANGE WITHSCORES', (await r.zrange('z', 0, 0, 'WITHSCORES')).flat().map(String), ['one', '1.5']);
  same('ZRANGEBYSCORE', await r.zrangebyscore('z', '(1.5', 3), ['two', 'three']);
  same('ZRANGE BYSCORE REV LIMIT', await r.zrange('z', '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 1, 1), ['two']);
  same('ZRANK', await r.zrank('z', 'three'), 2);
  same('ZINCRBY', String(await r.zincrby('z', 10, 'one')), '11.5');
  same('ZPOPMIN', (await r.zpopmin('z')).flat().map(String), ['two', '2']);
  same('ZCARD', await r.zcard('z'), 2);
}

async function pipelines(r) {
  const pipe = r.pipeline();
  for (let i = 0; i < 1000; i++) pipe.set(`p:${i}`, i);
  same('a pipeline of SETs', await pipe.exec(), Array(1000).fill([null, 'OK']));
  const got = await r.pipeline().set('p:text', 'abc').incr('p:text').get('p:text').exec();
  same('a pipeline goes on after an error', [got[0][1], got[1][0].message, got[2][1]],
    ['OK', 'ERR value is not an integer or out of range', 'abc']);
}

async function transactions(r) {
  same('MULTI', await r.multi().set('t', 1).incr('t').rpush('tl', 'a').exec(), [[null, 'OK'], [null, 2], [null, 1]]);
  const other = r.duplicate();
  await other.watch('t');
  same('EXEC after WATCH', await other.multi().incr('t').exec(), [[null, 3]]);
  await other.watch('t');
  await r.set('t', 10);
  same('EXEC after a write of another client', await other.multi().incr('t').exec(), null);
  same('nothing of it was done', await r.get('t'), '10');
  await other.quit();
}

async function scans(r) {
  const numbers = [...Array(1000).keys()];
  same('SCAN', new Set(await all(r.scanStream({ match: 'p:*', count: 37 }))).size, 1001);
  same('SCAN TYPE', (await all(r.scanStream({ match: 'set*', type: 'set' }))).sort(), ['set1', 'set2', 'set3']);
  same('HSET of many', await r.hset('big:h', Object.fromEntries(numbers.map((i) => [`f${i}`, i]))), 1000);
  same('HSCAN', new Set(await all(r.hscanStream('big:h', { count: 37 }))).size, 2000);
  same('SADD of many', await r.sadd('big:s', ...numbers), 1000);
  same('SSCAN', new Set(await all(r.sscanStream('big:s', { count: 37 }))).size, 1000);
  same('ZADD of many', await r.zadd('big:z', ...numbers.flatMap((i) => [i, `m${i}`])), 1000);
  same('ZSCAN', (await all(r.zscanStream('big:z', { count: 37 }))).length, 2000);
}

async function dumps(r) {
  let payload;
  for (const key of [BINARY, 'n', 'l2', 'h', 'set3', 'z', 'big:h', 'big:s', 'big:z']) {
    payload = await r.dumpBuffer(key);
    same('RESTORE', await r.restore('copy', 50000, payload, 'REPLACE'), 'OK');
    same('TYPE of a copy', await r.type('copy'), await r.type(key));
  }
  await r.restore('copy', 0, await r.dumpBuffer(BINARY), 'REPLACE');
  same('a restored string', await r.getBuffer('copy'), BINARY);
  await refused('RESTORE of what is there', 'BUSYKEY Target key name already exists.', r.restore('n', 0, payload));
  await refused('RESTORE of what is cut', 'ERR DUMP payload version or checksum are wrong',
    r.restore('cut', 0, payload.subarray(0, -1)));
}

async function errors(r) {
  await refused('LPUSH to a hash', WRONG, r.lpush('h', 'x'));
  await refused('GET of a set', WRONG, r.get('set3'));
  await refused('arity', "ERR wrong number of arguments for 'get' command", r.call('GET'));
  await refused('unknown', "ERR unknown command 'BOGUS', with args beginning with: 'x' ", r.call('BOGUS', 'x'));
  await refused('not a float', 'ERR value is not a valid float', r.zadd('z', 'x', 'm'));
  await refused('LSET', 'ERR index out of range', r.lset('l2', 9, 'x'));
  await refused('no key', 'ERR no such key', r.rename('none', 'other'));
}

async function main() {
  for (const protocol of [2, 3]) {
    const r = new Redis({ host: '127.0.0.1', port, protocol, connectionName: 'matrix-js', maxRetriesPerRequest: 0 });
    same('FLUSHALL', await r.flushall(), 'OK');
    same('PING', await r.ping(), 'PONG');
    same('CLIENT INFO', (await r.call('CLIENT', 'INFO')).match(/ name=(\S*) .* resp=(\d)/).slice(1, 3),
      ['matrix-js', String(protocol)]);
    for (const part of [strings, hashes, lists, blocking, sets, sortedSets, pipelines, transactions, scans, dumps,
      errors]) {
      await part(r);
    }
    same('QUIT', await r.quit(), 'OK');
  }
  console.log(`ioredis ${require('ioredis/package.json').version}: ${steps} steps`);
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
