// From what happened to what to tell, once by the flag and once to a moment.
import assert from "node:assert/strict";
import { test } from "node:test";

import { accessibility, open, Resp, until, withSeededServer } from "./harness.mjs";

let server, browser;
withSeededServer((made) => ({ server, browser } = made));

async function throughChecks(page, kind) {
  await page.show("recovery");
  await page.getByRole("radio", { name: kind }).check();
  await page.getByLabel("What was seen").fill("customers saw <b>old</b> prices");
  await page.getByRole("button", { name: "Next: checks" }).click();
  await page.getByRole("rowheader", { name: "Rolling back by the flag is possible" }).waitFor();
  assert.deepEqual(await accessibility(page), []);
  await page.getByRole("button", { name: "Next: go back" }).click();
}

test("by the flag", async () => {
  await server.route(100);
  const page = await open(browser, server);
  await throughChecks(page, "SQLite answers with errors");
  await page.getByRole("button", { name: "Roll back now" }).click();
  await page.getByLabel("Type “roll back”").fill("roll back");
  await page.getByRole("dialog").getByRole("button", { name: "Roll back now" }).click();
  await page.getByText("SUCCESS").waitFor();
  assert.deepEqual(await accessibility(page), []);
  await page.getByRole("button", { name: "Next: validation" }).click();
  await page.getByRole("button", { name: "Check the service now" }).click();
  await page.getByRole("rowheader", { name: "stores" }).waitFor();
  await page.getByRole("button", { name: "Next: tell others" }).click();

  const text = page.locator("pre");
  await until("the text is there", async () => (await text.textContent()).includes("Checked: all well"));
  assert.match(await text.textContent(), /every key was sent back to LMDB \(flag off\); no write was lost/);
  assert.match(await text.textContent(), /customers saw <b>old<\/b> prices/);
  assert.match(await text.textContent(), /SQLite answers 0 % of the keys/);
  assert.equal((await server.get("/v1/status")).routing.effective_percentage, 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("to the moment before wrong data was written", async () => {
  // Moments have whole seconds: one passes between the good record and the bad one, by the server's own clock.
  const client = new Resp(server.endpoints.resp.port);
  await client.send("SET", "price", "good");
  const second = () => Math.floor(Date.now() / 1000);
  const good = second();
  await until("the next second but one", () => second() >= good + 2, 5);
  await client.send("SET", "price", "bad");
  const page = await open(browser, server);
  await throughChecks(page, "Wrong data was written");
  const local = await page.evaluate((at) => {
    const date = new Date(at * 1000);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  }, good + 1);
  await page.getByLabel("To the moment before it began").fill(local);
  await page.getByRole("button", { name: "Restore to the moment" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Batches that are not there afterwards: 1.").waitFor();
  await dialog.getByLabel("Type").fill("restore");
  await dialog.getByRole("button", { name: "Restore" }).click();

  await page.getByText("Done: restore.").waitFor();
  assert.equal(await client.send("STRLEN", "price"), ":4", "good");
  client.close();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
