// What happens, as it happens: Server-Sent Events by fetch, since EventSource cannot send a token.
import { request } from "./api.js";

const RETRY_MS = [500, 1000, 2000, 4000];
// The server breaks a silence after 15 s; longer than this means that the connection is dead.
const SILENCE_MS = 40_000;

const listeners = new Set();
let lastId = "";
let abort = null;
let attempts = 0;
let isConnected = false;

// listener({event, data}); gives back a function that ends it.
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
export const isStreaming = () => isConnected;

function emit(event) {
  for (const listener of [...listeners]) {
    try {
      listener(event);
    } catch (error) {
      console.error(error);
    }
  }
}

// One block of the stream, up to an empty line.
export function parseBlock(block) {
  const parsed = { event: "message", id: null, data: [] };
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    if (colon === 0 || line === "") continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") parsed.data.push(value);
    else if (field === "event" || field === "id") parsed[field] = value;
  }
  return { ...parsed, data: parsed.data.join("\n") };
}

function take(block) {
  const { event, id, data } = parseBlock(block);
  if (id !== null) lastId = id;
  if (data === "") return;
  try {
    emit({ event, data: JSON.parse(data) });
  } catch (error) {
    console.error(error);
  }
}

async function read(signal) {
  const response = await request("GET", "/v1/events", {
    signal,
    timeout: 0,
    headers: lastId ? { "Last-Event-ID": lastId } : {},
  });
  if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
  isConnected = true;
  attempts = 0;
  emit({ event: "connected", data: {} });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const silence = setTimeout(() => abort?.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    text += value;
    let end;
    while ((end = text.search(/\n\n|\r\n\r\n/)) >= 0) {
      take(text.slice(0, end));
      text = text.slice(end).replace(/^(\r?\n){2}/, "");
    }
  }
}

async function run() {
  const mine = new AbortController();
  abort = mine;
  while (abort === mine) {
    try {
      await read(mine.signal);
    } catch {
      /* told by "disconnected" */
    }
    if (isConnected) emit({ event: "disconnected", data: {} });
    isConnected = false;
    if (abort !== mine) return;
    if (mine.signal.aborted) return void run();
    const pause = RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)];
    attempts += 1;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// Only while the page is seen: a browser gives a server six connections for all of its tabs.
export function start() {
  const follow = () => {
    if (document.hidden) {
      const old = abort;
      abort = null;
      old?.abort();
    } else if (abort === null) {
      run();
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
