// What was confirmed is done once, whatever becomes of the connection.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isDoneOnce, open, withSeededServer } from "./harness.mjs";

let server, browser;
withSeededServer((made) => ({ server, browser } = made));

const count = async () => (await server.get("/v1/backups")).count;
const LOST = "The connection was lost before there was an answer.";

// The keys of what a page asked for, in order, and how each was answered.
function listen(page) {
  const sent = [];
  page.on("request", (request) => {
    if (request.method() !== "GET" && isDoneOnce(request)) sent.push(request.headers()["idempotency-key"]);
  });
  return sent;
}
async function make(page, note) {
  await page.getByLabel("Note").fill(note);
  await page.getByRole("button", { name: "Make a backup" }).click();
}
async function rollBack(page) {
  await page.getByRole("button", { name: "Roll back now…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill("roll back");
  return dialog.getByRole("button", { name: "Roll back now" });
}

test("an answer that is lost is asked for again with the same key, and it was done once", async () => {
  const page = await open(browser, server);
  const sent = listen(page);
  const replayed = [];
  page.on("response", (response) => replayed.push(response.headers()["idempotency-replayed"]));
  await page.show("backups");
  const there = await count();
  // The server does what it is asked for, and nobody hears of it.
  let losses = 2;
  await page.route("**/v1/backups", async (route) => {
    if (route.request().method() !== "POST" || losses === 0) return route.fallback();
    losses -= 1;
    await route.fetch();
    return route.abort("connectionreset");
  });
  await make(page, "its answer is lost");
  await page.getByRole("alert").getByText(LOST).waitFor();
  await page.getByText("The backup has begun.").waitFor();

  assert.equal(await page.getByText(LOST).count(), 0);
  await page.getByRole("cell", { name: "its answer is lost" }).waitFor();
  assert.equal(await count(), there + 1);
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent).size, 1);
  assert.ok(replayed.includes("true"));

  await make(page, "another intent");
  await page.getByRole("cell", { name: "another intent" }).waitFor();
  assert.equal(sent.length, 4);
  assert.equal(new Set(sent).size, 2);
  assert.match(sent[3], /^[0-9a-f]{32}$/);
  await page.context().close();
});

test("what was confirmed while the server was away is done once it is back", async () => {
  await server.route(50);
  const page = await open(browser, server);
  const sent = listen(page);
  await page.show("overview");
  const go = await rollBack(page);
  await server.kill();
  await go.click();
  await page.getByRole("alert").getByText(LOST).waitFor();

  await server.restart();
  await page.getByText("Rolled back: LMDB answers every key.").waitFor();
  assert.equal((await server.get("/v1/status")).routing.effective_percentage, 0);
  assert.ok(sent.length > 1);
  assert.equal(new Set(sent).size, 1);
  await page.context().close();
});

test("whoever stops waiting is told that nobody knows", async () => {
  const newest = async () => (await server.get("/v1/rollback")).operation?.id;
  const before = await newest();
  const page = await open(browser, server);
  await page.show("overview");
  await page.route("**/v1/rollback", (route) => route.abort("connectionreset"));
  await (await rollBack(page)).click();
  await page.getByRole("button", { name: "Stop trying" }).click();
  await page.getByRole("alert").getByText("nobody knows whether it was done").waitFor();

  assert.equal(await page.getByText(LOST).count(), 0);
  assert.equal(await newest(), before);
  await page.context().close();
});

test("a refusal is told and not asked for again", async () => {
  const { id } = (await server.get("/v1/backups")).backups[0];
  const page = await open(browser, server);
  const sent = listen(page);
  await page.show(`backups/${id}`);
  await page.getByRole("button", { name: "Delete…" }).waitFor();
  await server.must("POST", `/v1/backups/${id}/pin`);
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill(`delete ${id.split("-").at(-1)}`);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alert").getByText("Not done.").waitFor();

  assert.equal(sent.length, 1);
  assert.ok((await server.get("/v1/backups")).backups.some((backup) => backup.id === id));
  await page.context().close();
});
