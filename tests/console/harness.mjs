// The real service and a real browser for the console's tests. Every wait has a deadline.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const BINARY = process.env.SWITCHBACK_BINARY ?? path.join(ROOT, "build/release/bin/switchback");
const CHROMIUM = process.env.SWITCHBACK_CHROMIUM ?? "/usr/bin/chromium";
const AXE = fs.readFileSync(path.join(ROOT, "tests/console/node_modules/axe-core/axe.min.js"), "utf8");
export const FLAG = "/v1/flags/USE_UNIFIED_DB_SERVICE";
export const PAGES = [
  "overview",
  "rollback",
  "recovery",
  "backups",
  "migration",
  "rollout",
  "schema",
  "flags",
  "data",
  "history",
  "notifications",
];
export const HOSTILE = '<img src=x onerror="window.injected=1">';

// The first true value of condition().
export async function until(what, condition, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Figures for whoever reads the test's log.
export function report(line) {
  console.log(line);
  if (process.env.SWITCHBACK_TEST_LOG) fs.appendFileSync(process.env.SWITCHBACK_TEST_LOG, `${line}\n`);
}

// As much of RESP as writing records takes. Replies come in order.
export class Resp {
  constructor(port) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.setNoDelay(true);
    this.socket.on("error", () => {});
    this.waiting = [];
    let text = "";
    this.socket.on("data", (data) => {
      text += data.toString("latin1");
      for (let end; (end = text.indexOf("\r\n")) >= 0;) {
        const line = text.slice(0, end);
        const size = line.startsWith("$") ? Number(line.slice(1)) : -1;
        if (size >= 0 && text.length < end + size + 4) return;
        text = text.slice(size >= 0 ? end + size + 4 : end + 2);
        this.waiting.shift()?.(line);
      }
    });
  }

  send(...words) {
    const parts = words.map((word) => Buffer.from(String(word)));
    this.socket.write(
      Buffer.concat([
        Buffer.from(`*${parts.length}\r\n`),
        ...parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]),
      ]),
    );
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  close() {
    this.socket.destroy();
  }
}

// Reads and writes until stop(); the keys are those that seed() wrote.
export function load(server) {
  const clients = [new Resp(server.endpoints.resp.port), new Resp(server.endpoints.resp.port)];
  let isRunning = true;
  let failures = 0;
  let count = 0;
  const loops = clients.map(async (client, index) => {
    while (isRunning) {
      const replies = await Promise.all([
        client.send("SET", `load:${count % 500}`, count),
        ...Array.from({ length: 8 }, (_, i) => client.send("GET", `key:${(count * 7 + i * 31 + index) % 400}`)),
      ]);
      failures += replies.filter((reply) => reply.startsWith("-")).length;
      count += replies.length;
    }
  });
  return {
    async stop() {
      isRunning = false;
      await Promise.all(loops);
      clients.forEach((client) => client.close());
      return { count, failures };
    },
  };
}

// Of servers that run: a test that throws before its end leaves none behind.
const running = new Set();
process.on("exit", () => running.forEach((server) => server.process.kill("SIGKILL")));

export class Server {
  constructor({ environment = {}, config = {} } = {}) {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "switchback-console."));
    this.data = path.join(this.directory, "data");
    this.environment = environment;
    this.token = environment.SWITCHBACK_TOKEN ?? "";
    fs.mkdirSync(this.data);
    fs.writeFileSync(path.join(this.directory, "config.json"), JSON.stringify(config));
  }

  async start(ports = { resp: 0, http: 0 }) {
    fs.rmSync(path.join(this.data, "endpoints.json"), { force: true });
    const log = fs.openSync(path.join(this.directory, "server.log"), "a");
    this.process = spawn(
      BINARY,
      [
        "serve",
        "--data-dir",
        this.data,
        "--config",
        path.join(this.directory, "config.json"),
        "--port",
        String(ports.resp),
        "--http-port",
        String(ports.http),
      ],
      { stdio: ["ignore", log, log], env: { ...process.env, ...this.environment } },
    );
    running.add(this);
    this.exited = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.once("exit", () => running.delete(this));
    fs.closeSync(log);
    this.endpoints = await until("the server is ready", () => {
      if (this.process.exitCode !== null)
        throw new Error(`the server stopped:\n${fs.readFileSync(path.join(this.directory, "server.log"))}`);
      try {
        return JSON.parse(fs.readFileSync(path.join(this.data, "endpoints.json"), "utf8"));
      } catch {
        return null;
      }
    });
    this.url = `http://127.0.0.1:${this.endpoints.http.port}`;
    return this;
  }

  async kill() {
    this.process.kill("SIGKILL");
    await this.exited;
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.exited;
  }

  async restart() {
    await this.start({ resp: this.endpoints.resp.port, http: this.endpoints.http.port });
  }

  async remove() {
    if (this.process && this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  async http(method, where, body) {
    const headers = { "Content-Type": "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const response = await fetch(this.url + where, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text,
    };
  }
  async get(where) {
    const { status, body } = await this.http("GET", where);
    if (status !== 200) throw new Error(`${where}: ${status} ${JSON.stringify(body)}`);
    return body;
  }
  async must(method, where, body = {}) {
    const answer = await this.http(method, where, body);
    if (answer.status >= 300) throw new Error(`${where}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  // Records, a filled and verified copy, two backups, two versions of a schema.
  async seed() {
    const client = new Resp(this.endpoints.resp.port);
    const writes = Array.from({ length: 400 }, (_, i) => client.send("SET", `key:${i}`, `value ${i}`));
    writes.push(client.send("SET", HOSTILE, `a value with ${HOSTILE}`), client.send("SELECT", "users"));
    for (const name of ["alice", "bob", "carol"])
      writes.push(client.send("SET", name, JSON.stringify({ name, email: `${name}@example.org` })));
    await Promise.all(writes);
    client.close();
    // A new service writes to both stores from the first record on: the copy is taken back and made anew.
    await this.must("POST", "/v1/migration/abandon");
    await until("SQLite is empty", async () => (await this.get("/v1/migration")).state === "rolled-back", 60);
    await this.must("POST", "/v1/migration/start");
    await until(
      "the copy is verified",
      async () => {
        const { can_flip: canFlip, state } = await this.get("/v1/migration");
        return canFlip && state === "complete";
      },
      60,
    );
    for (const note of ["before the release", HOSTILE]) await this.backup(note);
    const schema = path.join(this.data, "schema");
    fs.mkdirSync(schema, { recursive: true });
    const versions = [
      [
        "add_email",
        "ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(CAST(value AS TEXT)) THEN json_extract(CAST(value AS TEXT), '$.email') END) VIRTUAL;",
        "ALTER TABLE users DROP COLUMN email;",
      ],
      ["notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);", "DROP TABLE notes;"],
    ];
    versions.forEach(([name, up, down], index) => {
      fs.writeFileSync(path.join(schema, `000${index + 1}_${name}.up.sql`), up);
      fs.writeFileSync(path.join(schema, `000${index + 1}_${name}.down.sql`), down);
    });
    return this;
  }

  async backup(note) {
    await this.must("POST", "/v1/backups", { note });
    await until("the backup is made", async () => (await this.get("/v1/backups/status")).state === "done");
  }
  async route(percentage) {
    await this.must("PUT", FLAG, percentage === 0 ? { enabled: false } : { enabled: true, percentage });
  }
}

export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

const OPENAPI = JSON.parse(fs.readFileSync(path.join(ROOT, "server/http/openapi/openapi.json"), "utf8"));
const OPERATIONS = Object.entries(OPENAPI.paths).map(([template, operations]) => ({
  pattern: new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`),
  isExact: !template.includes("{"),
  operations,
}));

// What is described of the operation that a request asks for.
export function operationOf(method, url) {
  const { pathname } = new URL(url);
  const found = OPERATIONS.filter(({ pattern }) => pattern.test(pathname));
  const { operations } = found.find(({ isExact }) => isExact) ?? found[0] ?? {};
  return operations?.[method.toLowerCase()] ?? null;
}

// Whether it may be sent again with an Idempotency-Key, and changes something.
export function isDoneOnce(request) {
  const parameters = operationOf(request.method(), request.url())?.parameters ?? [];
  const takesKey = parameters.some(({ $ref: to = "" }) => to.endsWith("/IdempotencyKey"));
  return takesKey && !JSON.parse(request.postData() ?? "{}").dry_run;
}

// A page of its own, and what it complained about. Nothing but the server is reached, ever.
export async function open(browser, server, { width = 1280, height = 900, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.complaints = [];
  page.on("console", (entry) => {
    if (entry.type() === "error" || entry.type() === "warning") page.complaints.push(entry.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !url.startsWith("blob:")) page.complaints.push(`foreign request: ${url}`);
    else if (request.method() !== "GET" && isDoneOnce(request) && !request.headers()["idempotency-key"])
      page.complaints.push(`without an Idempotency-Key: ${request.method()} ${url}`);
  });
  page.on("dialog", (dialog) => {
    page.complaints.push(`a dialog of the browser: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.show = async (where) => {
    await page.goto(`${server.url}/#/${where}`);
    await page.locator(`[data-page="${where.split(/[/?]/)[0]}"] h1`).waitFor();
  };
  return page;
}

// What axe finds that is serious or critical. By the protocol's own evaluation, which the page's policy does not hold for.
export async function accessibility(page) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"] }),
  );
  if (passes.length < 10) throw new Error("axe saw nothing");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map((node) => `${node.target} ${node.any[0]?.message ?? ""}`)
          .slice(0, 4)
          .join("; ")}`,
    );
}

// For a file of tests: `take` is given a server with data, and a browser, before the first one; both end after the last.
export function withSeededServer(take) {
  let server, browser;
  before(async () => {
    server = await new Server().start();
    await server.seed();
    browser = await launch();
    take({ server, browser });
  });
  after(async () => {
    await browser?.close();
    await server?.remove();
  });
}
