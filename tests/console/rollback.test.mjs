// The way back by the flag, from the browser, while clients read and write.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { load, open, Server, until, withSeededServer } from "./harness.mjs";

let server, browser;
const effective = async () => (await server.get("/v1/status")).routing.effective_percentage;

withSeededServer((made) => ({ server, browser } = made));

test("a wrong text does nothing", async () => {
  await server.route(50);
  const page = await open(browser, server);
  await page.show("overview");
  await page.getByRole("button", { name: "Roll back now" }).click();
  const dialog = page.getByRole("dialog", { name: "Roll back now" });
  const go = dialog.getByRole("button", { name: "Roll back now" });

  for (const wrong of ["", "roll", "Roll back", "roll back "]) {
    await dialog.getByLabel("Type “roll back”").fill(wrong);
    assert.ok(await go.isDisabled(), wrong);
    await dialog.getByLabel("Type “roll back”").press("Enter");
    assert.ok(await dialog.isVisible());
  }
  await page.keyboard.press("Escape");
  assert.equal(await dialog.count(), 0);
  assert.equal(await effective(), 50);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("rolls back under load, shows the validation and gives the evidence", async () => {
  await server.route(50);
  const traffic = load(server);
  const page = await open(browser, server);
  await page.show("rollback");
  await page.getByRole("button", { name: "Roll back now" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Acknowledged writes that are lost: 0.").waitFor();
  await dialog.getByLabel("Why").fill("p99 doubled");
  await dialog.getByLabel("Type “roll back”").fill("roll back");
  await dialog.getByRole("button", { name: "Roll back now" }).click();

  await page.getByText("Rolled back: LMDB answers every key.").waitFor();
  assert.equal(await effective(), 0);
  const result = page.getByRole("region", { name: "Checks" });
  await result.getByRole("rowheader", { name: "stores" }).waitFor();
  await page.getByText("p99 doubled").waitFor();
  await page.getByText("SUCCESS").first().waitFor();
  await page.locator("#summary").getByText("SQLite answers 0 %").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: /Download the evidence/ }).click(),
  ]);
  assert.match(download.suggestedFilename(), /operator.*\.tar\.zst$/);
  assert.equal(fs.readFileSync(await download.path()).readUInt32LE(0), 0xfd2fb528, "zstd");

  const { count, failures } = await traffic.stop();
  assert.ok(count > 100);
  assert.equal(failures, 0, "no client noticed");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("shows the command of a full rollback, and nothing that would do it", async () => {
  const page = await open(browser, server);
  await page.show("rollback");

  await page.getByText(`switchback rollback full --data-dir ${server.data} --export`).waitFor();
  await page.getByText("Only with the server stopped.").waitFor();
  await page.context().close();
});

test("the service can be checked without a rollback", async () => {
  const page = await open(browser, server);
  await page.show("rollback");
  await page.getByRole("button", { name: "Check the service now" }).click();

  await page.getByText("The service was checked.").waitFor();
  await until(
    "it is in the history",
    async () => (await server.get("/v1/rollback")).operation.kind !== "rollback-flag",
  );
  await page.context().close();
});

test("what the guard proposes is confirmed on the right word", async () => {
  const own = await new Server({ config: { guard: { escalation: "assisted" } } }).start();
  await own.seed();
  await own.stop();
  own.environment.SWITCHBACK_FAILPOINTS = "sqlite.read=error";
  await own.start();
  await own.route(100);
  const traffic = load(own);
  const page = await open(browser, own);
  await page.show("overview");
  await page.getByText("It proposes to go back.").waitFor();
  await page.getByRole("button", { name: "Go back…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type “go back”").fill("go back");
  await dialog.getByRole("button", { name: "Go back" }).click();
  await page.getByText("Rolled back: LMDB answers every key.").waitFor();
  await page.locator("#summary").getByText("latched on LMDB: guard").waitFor();
  const { failures } = await traffic.stop();
  assert.equal(failures, 0, "no client noticed");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
  await own.remove();
});

test("safe mode is shown and left on the right word", async () => {
  const own = await new Server({ environment: { SWITCHBACK_FAILPOINTS: "restore.check=error@1" } }).start();
  await own.seed();
  const { id } = (await own.get("/v1/backups")).backups[0];
  await own.must("POST", `/v1/backups/${id}/restore`, { confirm: true });
  await until("safe mode is on", async () => (await own.get("/v1/safe-mode")).engaged);
  const page = await open(browser, own);
  await page.show("overview");
  await page.locator("#summary").getByText("writes are refused").waitFor();
  await page.getByRole("button", { name: "Leave safe mode…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("restore --undo").waitFor();
  await dialog.getByLabel("Type “take writes”").fill("take writes");
  await dialog.getByRole("button", { name: "Take writes again" }).click();
  await page.getByText("Writes are taken again.").waitFor();
  assert.equal((await own.get("/v1/safe-mode")).engaged, null);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
  await own.remove();
});
