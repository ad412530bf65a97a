// The control plane. A token that it asks for is kept for this tab alone, and only until it is closed.
const TOKEN = "switchback.token";
const ACTOR = "switchback.actor";

export class Problem extends Error {
  constructor(status, document) {
    super(document?.detail || document?.title || `the server answered ${status}`);
    this.status = status;
    this.kind = (document?.type ?? "").replace("urn:switchback:error:", "");
    this.document = document;
  }
}

const storage = (act) => {
  try {
    return act();
  } catch {
    return null;
  } // blocked by the browser: works without
};
let token = storage(() => sessionStorage.getItem(TOKEN)) ?? "";
export function setToken(value) {
  token = value;
  storage(() => sessionStorage.setItem(TOKEN, value));
}
export const actor = () => storage(() => localStorage.getItem(ACTOR)) || "console";
export const setActor = (name) => storage(() => localStorage.setItem(ACTOR, name));

// Whoever asks for the token is told by this once it is refused; the request waits for the answer.
let askForToken = async () => {
  throw new Problem(401, { detail: "a token is needed" });
};
let asking = null;
export function onTokenNeeded(ask) {
  askForToken = ask;
}

// Told of each refusal that is for want of a right.
let tellForbidden = () => {};
export function onForbidden(tell) {
  tellForbidden = tell;
}

// A response whatever its status, but for 401: then the token is asked for, and the request repeated.
export async function request(method, path, { body, signal, headers = {}, timeout = 30_000 } = {}) {
  for (;;) {
    const sent = { ...headers };
    const sentToken = token;
    if (token) sent.Authorization = `Bearer ${token}`;
    if (method !== "GET" && method !== "HEAD") sent["Content-Type"] ??= "application/json";
    const signals = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean);
    const response = await fetch(path, {
      method,
      headers: sent,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      body:
        body === undefined ? undefined : typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body),
      signal: signals.length ? AbortSignal.any(signals) : undefined,
    });
    if (response.status === 403) tellForbidden();
    if (response.status !== 401) return response;
    if (sentToken !== token) continue; // another request has asked for it meanwhile
    asking ??= askForToken(token !== "").finally(() => {
      asking = null;
    });
    await asking;
  }
}

async function documentOf(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return { detail: text.slice(0, 500) };
  }
}

async function call(method, path, options) {
  const response = await request(method, path, options);
  const document = await documentOf(response);
  if (!response.ok) throw new Problem(response.status, document);
  return document;
}

export const get = (path, options) => call("GET", path, options);
// Long operations answer at their end (schema): no time limit of ours.
export const post = (path, body = {}) => call("POST", path, { body, timeout: 0 });
export const put = (path, body) => call("PUT", path, { body, timeout: 0 });

// ---- what begins or destroys something: done once, whatever becomes of the connection

const RETRY_MS = 1000;
const RETRIES_MAX = 120;

// Whoever says that the connection was lost is given stop(), and gives back what takes the word away.
let sayLost = () => () => {};
export function onLost(say) {
  sayLost = say;
}

// Not randomUUID(): that is only for pages from loopback or by TLS.
const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (of) => of.toString(16).padStart(2, "0")).join("");
const isLost = (error) => error instanceof TypeError;
const isUnderWay = (error) => error.kind === "idempotency-under-way";
const unknown = () =>
  new Problem(0, {
    detail:
      "the connection was lost, and nobody knows whether it was done. Look at what is there before it is asked for again",
  });
const pause = (signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, RETRY_MS);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

// One key for one intent: when the answer is lost the same request is sent with the same key until the server is back,
// which then answers what it answered before, or does it now.
async function callOnce(method, path, body) {
  const headers = { "Idempotency-Key": newKey() };
  const stop = new AbortController();
  let takeBack = null;
  try {
    for (let tries = 0; ; tries += 1) {
      try {
        return await call(method, path, { body, headers, signal: stop.signal, timeout: 0 });
      } catch (error) {
        if (stop.signal.aborted) throw unknown();
        const mayAskAgain = isLost(error) || (takeBack !== null && isUnderWay(error));
        if (!mayAskAgain) throw error;
        if (tries >= RETRIES_MAX) throw isLost(error) ? unknown() : error;
        takeBack ??= sayLost(() => stop.abort());
        await pause(stop.signal);
      }
    }
  } finally {
    takeBack?.();
  }
}

export const once = (path, body = {}) => callOnce("POST", path, body);
export const remove = (path, body = {}) => callOnce("DELETE", path, body);

// Saves what is at `path` as a file; a plain link could not send the token.
export async function download(path, name) {
  const response = await request("GET", path, { timeout: 120_000 });
  if (!response.ok) throw new Problem(response.status, await documentOf(response));
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
