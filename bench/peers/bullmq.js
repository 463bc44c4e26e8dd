// BullMQ as a peer: tasks, client verbs and the settings it is measured at.
// Run by workloads.py:  about | client SOCKET | worker SOCKET PROFILE
"use strict";
const { Queue, QueueEvents, Worker } = require("bullmq");
const { serve, sleep, wallMs } = require("./loop.js");

const QUEUE = "bench";
const CONCURRENCY = { drain: 400, drain_noresult: 400, idle: 400, nap: 1000 };
const about = {
  left: [["LLEN", `bull:${QUEUE}:wait`], ["LLEN", `bull:${QUEUE}:active`]],
  stored: ["ZCARD", `bull:${QUEUE}:completed`],
  nap_concurrency: CONCURRENCY.nap,
  settings: {
    drain: `concurrency ${CONCURRENCY.drain}`,
    idle: "as drain",
    sleep: `concurrency ${CONCURRENCY.nap}`,
    no_result: "removeOnComplete: true",
    result_wait: "Job.waitUntilFinished (QueueEvents)",
    bulk: "Queue.addBulk, 1,000 a call",
  },
  versions: {
    bullmq: require("bullmq/package.json").version,
    ioredis: require("ioredis/package.json").version,
    node: process.version,
  },
};

const tasks = { noop: async () => null, stamp: async () => wallMs(), nap: () => sleep(100) };

function work(connection, profile) {
  const concurrency = CONCURRENCY[profile];
  new Worker(QUEUE, (job) => tasks[job.name](), { connection, concurrency });
}

async function client(connection) {
  const queue = new Queue(QUEUE, { connection });
  let events = null; // from the first stamp on: a drain needs no listener
  const listen = async () => {
    events = new QueueEvents(QUEUE, { connection });
    events.setMaxListeners(0);
    await events.waitUntilReady();
  };
  const opts = (results) => ({ removeOnComplete: !results });
  const bulk = (n, results, name = "noop") =>
    queue.addBulk(Array.from({ length: n }, () => ({ name, data: {}, opts: opts(results) })));
  await serve({
    bulk,
    noop: (results) => queue.add("noop", {}, opts(results)),
    stamp: async () => {
      if (!events) await listen();
      return queue.add("stamp", {});
    },
    take: (job) => job.waitUntilFinished(events, 60000),
    nap: (n) => bulk(n, true, "nap"),
  });
}

const [verb, path, profile] = process.argv.slice(2);
const connection = { path, maxRetriesPerRequest: null };
if (verb === "about") console.log(JSON.stringify(about));
else if (verb === "worker") work(connection, profile);
else client(connection);
