// What every page shows of the service: polled each second while the page is seen, and told at once
// by events. Keeps the last five minutes of figures, so that charts survive a change of the page.
import { get } from "./api.js";
import { onEvent, start as startEvents } from "./events.js";

const POLL_MS = 1000;
const STALE_MS = 4000;
const SAMPLES_MAX = 300;

export const live = {
  status: null, // GET /v1/status
  comparison: null, // GET /v1/metrics/comparison
  guard: null, // GET /v1/guard
  updatedAt: 0, // of the newest answer, in ms of the wall clock
  isStale: false,
  error: "", // what the server said when it refused to tell; "" when it was not reached
  samples: [], // {at, legacy: {...}, unified: {...}}
  feed: [], // the newest events first
};

const listeners = new Set();
// listener() after each change of `live`; gives back a function that ends it.
export function onLive(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
function tell() {
  for (const listener of [...listeners]) {
    try {
      listener();
    } catch (error) {
      console.error(error);
    }
  }
}

const READS = ["get", "mget", "scan"];
const sum = (operations, names, field) => names.reduce((total, name) => total + (operations[name]?.[field] ?? 0), 0);

let before = null;
function sample(status, comparison) {
  const now = performance.now();
  const point = { at: Date.now() / 1000 };
  const counts = {};
  for (const role of ["legacy", "unified"]) {
    const operations = status.operations[role];
    const all = Object.keys(operations);
    counts[role] = { reads: sum(operations, READS, "count"), errors: sum(operations, all, "errors") };
    const late = comparison?.of_late?.operations?.get?.[role];
    const isUsed = (late?.operations ?? 0) > 0;
    point[role] = {
      p50: isUsed ? late.p50_us : null,
      p99: isUsed ? late.p99_us : null,
      lag: status.followers[role].lag_ms,
      apply: comparison?.of_late?.operations?.apply?.[role]?.p99_us ?? null,
      rate: null,
      errors: null,
    };
    const then = before?.counts[role];
    const elapsed = (now - (before?.now ?? now)) / 1000;
    if (then && elapsed > 0.2 && counts[role].reads >= then.reads) {
      point[role].rate = (counts[role].reads - then.reads) / elapsed;
      point[role].errors = (counts[role].errors - then.errors) / elapsed;
    }
  }
  before = { now, counts };
  live.samples.push(point);
  if (live.samples.length > SAMPLES_MAX) live.samples.shift();
}

async function look() {
  const [status, comparison, guard] = await Promise.all([
    get("/v1/status", { timeout: 5000 }),
    get("/v1/metrics/comparison", { timeout: 5000 }).catch(onlyIfAbsent),
    get("/v1/guard", { timeout: 5000 }).catch(onlyIfAbsent),
  ]);
  Object.assign(live, { status, comparison, guard, updatedAt: Date.now(), isStale: false, error: "" });
  sample(status, comparison);
}
// A server without a guard is a server: its status still counts.
function onlyIfAbsent(error) {
  if (error.status) return null;
  throw error;
}

let timer = null;
let isLooking = false;
export async function refresh() {
  if (isLooking) return;
  isLooking = true;
  try {
    await look();
  } catch (error) {
    live.error = error.status ? error.message : "";
    // A refused connection is known to be lost at once; one slow answer is not.
    if (error instanceof TypeError || Date.now() - live.updatedAt > STALE_MS) live.isStale = true;
  }
  isLooking = false;
  tell();
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(async () => {
    await refresh();
    schedule();
  }, POLL_MS);
}

const FEED_MAX = 40;
const PROGRESS = new Set(["migration", "verify", "backup", "restore", "hello", "connected", "disconnected"]);
export function start() {
  document.addEventListener("visibilitychange", () => {
    before = null;
    if (!document.hidden) refresh().then(schedule);
  });
  onEvent((event) => {
    if (event.event === "disconnected" || event.event === "connected") {
      refresh();
      return;
    }
    if (PROGRESS.has(event.event)) return;
    live.feed.unshift({ ...event, at: Date.now() });
    live.feed.length = Math.min(live.feed.length, FEED_MAX);
    refresh();
  });
  refresh().then(schedule);
  startEvents();
}

// Runs `run` now and then every so often while the page is seen, never twice at a time; gives back
// a function that ends it.
export function every(milliseconds, run) {
  let timer = null;
  let isOver = false;
  const loop = async () => {
    if (!document.hidden) await run();
    if (!isOver) timer = setTimeout(loop, milliseconds);
  };
  loop();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
