// Backups made, checked, kept, deleted and gone back to, from the browser.
import assert from "node:assert/strict";
import { test } from "node:test";

import { load, open, Resp, until, withSeededServer } from "./harness.mjs";

let server, browser;
const list = async () => (await server.get("/v1/backups")).backups;
const short = (id) => id.split("-").at(-1);
async function value(key) {
  const client = new Resp(server.endpoints.resp.port);
  const reply = await client.send("EXISTS", key);
  client.close();
  return reply === ":1";
}
async function write(key) {
  const client = new Resp(server.endpoints.resp.port);
  await client.send("SET", key, "later");
  client.close();
}

withSeededServer((made) => ({ server, browser } = made));

test("makes one with a note, and shows it when it is done", async () => {
  const page = await open(browser, server);
  await page.show("backups");
  await page.getByLabel("Note").fill("from the console");
  await page.getByRole("button", { name: "Make a backup" }).click();

  await page.getByText("Done: create.").waitFor();
  await page.getByRole("cell", { name: "from the console" }).waitFor();
  assert.ok((await list()).some(({ note, verified }) => note === "from the console" && verified));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("verifies, pins, and refuses to delete what is pinned", async () => {
  const { id } = (await list()).at(-1);
  const page = await open(browser, server);
  await page.show(`backups/${id}`);
  await page.getByRole("button", { name: "Verify in full" }).click();
  await page.getByText("Done: verify.").waitFor();
  await page.getByRole("button", { name: "Pin", exact: true }).click();
  await page.getByRole("button", { name: "Unpin", exact: true }).waitFor();

  assert.ok(await page.getByRole("button", { name: "Delete: unpin it first" }).isDisabled());
  assert.ok((await list()).find((backup) => backup.id === id).pinned);
  await page.getByRole("button", { name: "Unpin", exact: true }).click();
  await page.getByRole("button", { name: "Pin", exact: true }).waitFor();
  await page.context().close();
});

test("deletes only what was named", async () => {
  await server.backup("to be deleted");
  const { id } = (await list()).find(({ note }) => note === "to be deleted");
  const page = await open(browser, server);
  await page.show(`backups/${id}`);
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill("delete 0000");
  assert.ok(await dialog.getByRole("button", { name: "Delete" }).isDisabled());
  await dialog.getByLabel("Type").press("Enter");
  assert.ok((await list()).some((backup) => backup.id === id));

  await dialog.getByLabel("Type").fill(`delete ${short(id)}`);
  await dialog.getByLabel("Type").press("Enter");
  await page.getByText("Deleted.").waitFor();
  assert.ok(!(await list()).some((backup) => backup.id === id));
  await page.context().close();
});

test("shows what pruning would do and does nothing by itself", async () => {
  const count = (await list()).length;
  const page = await open(browser, server);
  await page.show("backups");
  await page.getByRole("button", { name: "Prune: show what would go" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("stays").first().waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  assert.equal((await list()).length, count);
  await page.context().close();
});

test("restores with the plan first while clients go on, and undoes it", async () => {
  const { id } = (await list()).find(({ note }) => note === "before the release");
  await write("after the backup");
  const traffic = load(server);
  const page = await open(browser, server);
  await page.show(`backups/${id}`);
  await page.getByRole("button", { name: "Restore…" }).click();
  const dialog = page.getByRole("dialog", { name: `Restore ${id}` });
  await dialog.getByText(/Batches that are not there afterwards: [1-9]/).waitFor();
  await dialog.getByLabel("Type").fill(`restore ${id}`);
  await dialog.getByLabel("Type").press("Enter");
  assert.ok(await dialog.getByRole("button", { name: "Restore" }).isDisabled());
  assert.equal((await server.get("/v1/status")).generation, "gen-1");

  await dialog.getByLabel("Type").fill(`restore ${short(id)}`);
  await dialog.getByRole("button", { name: "Restore" }).click();
  await page.getByText("Done: restore.").waitFor();
  assert.equal((await server.get("/v1/status")).generation, "gen-2");
  assert.equal(await value("after the backup"), false);
  const { failures } = await traffic.stop();
  assert.equal(failures, 0, "clients waited and went on");

  await page.getByRole("link", { name: "Rollback", exact: true }).click();
  await page.getByRole("button", { name: /Undo the restore \(back to gen-1\)/ }).click();
  const undo = page.getByRole("dialog", { name: "Undo the restore" });
  await undo.getByLabel("Type").fill("undo");
  await undo.getByRole("button", { name: "Restore" }).click();
  await until("what was there before is there again", () => value("after the backup"));
  assert.equal((await server.get("/v1/status")).generation, "gen-3");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
