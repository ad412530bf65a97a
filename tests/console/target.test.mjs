// Backups off the machine, from the browser: there, back, and what a target that is away looks like.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { accessibility, launch, open, Server } from "./harness.mjs";

let server, browser, place;
const there = async () => (await server.get("/v1/backups?where=target")).backups.map(({ id }) => id);
const here = async () => (await server.get("/v1/backups")).backups.map(({ id }) => id);
before(async () => {
  place = fs.mkdtempSync(path.join(os.tmpdir(), "switchback-target."));
  server = await new Server({ config: { backup_target: place } }).start();
  await server.backup("goes elsewhere");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
  fs.rmSync(place, { recursive: true, force: true });
});

test("one is uploaded, deleted here, downloaded, and deleted there", async () => {
  const [id] = await here();
  const short = id.split("-").at(-1);
  const page = await open(browser, server);
  await page.show(`backups/${id}`);
  await page.getByRole("button", { name: `Upload ${id}` }).click();
  await page.getByText("Done: upload.").waitFor();
  assert.deepEqual(await there(), [id]);
  await page.getByRole("button", { name: "Look what is there" }).click();
  const table = page.getByRole("region", { name: "Backups off the machine" });
  await table.getByRole("rowheader", { name: id }).waitFor();
  await table.getByText("here, too").waitFor();
  assert.deepEqual(await accessibility(page), []);

  await page.getByRole("button", { name: "Delete…", exact: true }).click();
  await page.getByRole("dialog").getByLabel("Type").fill(`delete ${short}`);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("Deleted.").waitFor();
  assert.deepEqual(await here(), []);
  await page.getByRole("button", { name: "Look what is there" }).click();
  await table.getByRole("button", { name: `Download ${id}` }).click();
  await page.getByText("Done: download.").waitFor();
  assert.deepEqual(await here(), [id]);
  await table.getByText("here, too").waitFor();

  await table.getByRole("button", { name: `Delete ${id} off the machine` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill("delete");
  await dialog.getByLabel("Type").press("Enter");
  assert.deepEqual(await there(), [id]);
  await dialog.getByLabel("Type").fill(`delete ${short}`);
  await dialog.getByRole("button", { name: "Delete there" }).click();
  await page.getByText("Deleted there.").waitFor();
  await page.getByText("There is none yet: a backup's own page uploads it.").waitFor();
  assert.deepEqual(await there(), []);
  assert.deepEqual(await here(), [id]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a target that is away is said, and what is here is shown as ever", async () => {
  const [id] = await here();
  fs.renameSync(place, `${place}.away`);
  const page = await open(browser, server);
  await page.show("backups");
  await page.getByRole("button", { name: "Look what is there" }).click();
  await page.getByText(place).first().waitFor();
  await page.getByRole("link", { name: id }).waitFor();
  fs.renameSync(`${place}.away`, place);
  await page.getByRole("button", { name: "Look what is there" }).click();
  await page.getByText("There is none yet: a backup's own page uploads it.").waitFor();
  await page.context().close();
});

test("without a target nothing is offered that needs one", async () => {
  const plain = await new Server().start();
  await plain.backup("stays here");
  const { id } = (await plain.get("/v1/backups")).backups[0];
  const page = await open(browser, plain);
  await page.show(`backups/${id}`);
  await page.getByText("There is no place off the machine").waitFor();
  await page.getByRole("button", { name: "Verify", exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Upload" }).count(), 0);
  assert.equal(await page.getByRole("button", { name: "Look what is there" }).count(), 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
  await plain.remove();
});
