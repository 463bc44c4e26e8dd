// bee-queue as a peer: tasks, client verbs and the settings it is measured at.
// Run by workloads.py:  about | client SOCKET | worker SOCKET PROFILE
// A finished job stays in Redis, its value goes out with the event: that is bee-queue's "result".
"use strict";
const Queue = require("bee-queue");
const { serve, sleep, wallMs } = require("./loop.js");

const QUEUE = "bench";
const CONCURRENCY = { drain: 100, drain_noresult: 100, idle: 100, nap: 1000 };
const about = {
  left: [["LLEN", `bq:${QUEUE}:waiting`], ["LLEN", `bq:${QUEUE}:active`]],
  stored: ["SCARD", `bq:${QUEUE}:succeeded`],
  nap_concurrency: CONCURRENCY.nap,
  settings: {
    drain: `concurrency ${CONCURRENCY.drain}, events sent, finished jobs kept`,
    idle: "as drain",
    sleep: `concurrency ${CONCURRENCY.nap}`,
    no_result: "removeOnSuccess: true, sendEvents: false",
    result_wait: "job.on('succeeded') (pub/sub)",
    bulk: "Queue.saveAll, 1,000 a call",
  },
  versions: { "bee-queue": require("bee-queue/package.json").version, node: process.version },
};

const tasks = { noop: async () => null, stamp: async () => wallMs(), nap: () => sleep(100) };

function work(redis, profile) {
  const bare = profile === "drain_noresult";
  const queue = new Queue(QUEUE, {
    redis, getEvents: false, storeJobs: false, removeOnSuccess: bare, sendEvents: !bare,
  });
  queue.process(CONCURRENCY[profile], (job) => tasks[job.data.task]());
}

async function client(redis) {
  const blind = new Queue(QUEUE, { redis, isWorker: false, getEvents: false, storeJobs: false });
  await blind.ready();
  let waiting = null; // listens to events, from the first stamp on: a drain needs no listener
  const bulk = async (n, task = "noop") => {
    const failed = await blind.saveAll(Array.from({ length: n }, () => blind.createJob({ task })));
    if (failed.size) throw failed.values().next().value;
  };
  const stamp = async () => {
    waiting ??= new Queue(QUEUE, { redis, isWorker: false });
    await waiting.ready();
    const job = waiting.createJob({ task: "stamp" });
    const value = new Promise((done, fail) => job.on("succeeded", done).on("failed", fail));
    await job.save();
    return { value };
  };
  await serve({
    bulk: (n) => bulk(n),
    noop: () => blind.createJob({ task: "noop" }).save(),
    stamp,
    take: (handle) => handle.value,
    nap: (n) => bulk(n, "nap"),
  });
}

const [verb, path, profile] = process.argv.slice(2);
if (verb === "about") console.log(JSON.stringify(about));
else if (verb === "worker") work({ path }, profile);
else client({ path });
