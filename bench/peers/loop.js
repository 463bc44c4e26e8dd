// The client side of a Node peer: one JSON command per line in, one JSON answer per line out.
// Owns the command loop and the pacing that BullMQ and bee-queue share. Called by bullmq.js and
// beequeue.js with the few verbs in which they differ; knows nothing of either. The commands are
// described in workloads.py, which sends them.
//
// verbs: noop(results) and stamp() enqueue one job, stamp() answers with a handle; take(handle)
// waits for its value; bulk(n, results) enqueues n in one request; nap(n) enqueues n sleepers.
"use strict";
const readline = require("node:readline");
const { performance } = require("node:perf_hooks");

const BATCH = 1000; // jobs per bulk request

const wallMs = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function fill(verbs, n, results) {
  for (; n > 0; n -= BATCH) await verbs.bulk(Math.min(n, BATCH), results);
  return {};
}

async function repeat(seconds, step, perStep) {
  const begun = wallMs();
  let n = 0;
  for (; wallMs() - begun < seconds * 1e3; n += perStep) await step();
  return { n, seconds: (wallMs() - begun) / 1e3 };
}

async function latency(verbs, rate, seconds) {
  const begun = wallMs();
  const start = [];
  const result = [];
  const one = async () => {
    const submitted = wallMs();
    const started = await verbs.take(await verbs.stamp());
    result.push(wallMs() - submitted);
    start.push(started - submitted);
  };
  const flying = [];
  for (let i = 0; i < rate * seconds; i++) {
    await sleep(begun + (i * 1e3) / rate - wallMs());
    flying.push(one());
  }
  await Promise.all(flying);
  return { start_ms: start, result_ms: result, seconds: (wallMs() - begun) / 1e3 };
}

async function serve(verbs) {
  let first = null;
  const commands = {
    fill: (c) => fill(verbs, c.n, c.results),
    one: (c) => repeat(c.seconds, () => verbs.noop(true), 1),
    bulk: (c) => repeat(c.seconds, () => verbs.bulk(BATCH, true), BATCH),
    latency: (c) => latency(verbs, c.rate, c.seconds),
    nap: async (c) => (await verbs.nap(c.n), {}),
    submit: async () => {
      const job = await verbs.stamp();
      first = verbs.take(job);
      return {};
    },
    take: async () => (await first, { at: wallMs() / 1e3 }),
  };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    process.stdout.write(JSON.stringify(await commands[command.do](command)) + "\n");
  }
  process.exit(0);
}

module.exports = { serve, sleep, wallMs };
