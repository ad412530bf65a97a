// Records in the browser, hostile ones included.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { HOSTILE, launch, open, report, Server } from "./harness.mjs";

let server, browser, hasRecords;
before(async () => {
  server = await new Server().start();
  await server.seed();
  hasRecords = (await server.http("GET", "/v1/collections")).status === 200;
  if (!hasRecords) report("NOT RUN: console data: this server gives no records over HTTP");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});

test("says what to do where the server gives no records", async (t) => {
  if (hasRecords) return t.skip("it gives them");
  const page = await open(browser, server);
  await page.show("data");
  await page.getByText("This server gives no records over HTTP.").waitFor();
  await page.context().close();
});

test("browses by prefix, page by page", async (t) => {
  if (!hasRecords) return t.skip("no records over HTTP");
  const page = await open(browser, server);
  await page.show("data");
  await page.getByRole("button", { name: "Browse users" }).click();
  await page.getByRole("rowheader", { name: "alice" }).waitFor();
  await page.getByLabel("Collection", { exact: true }).fill("default");
  await page.getByLabel("Keys that begin with").fill("key:1");
  await page.getByRole("button", { name: "Browse", exact: true }).click();
  await page.getByRole("rowheader", { name: "key:1", exact: true }).waitFor();
  assert.equal(await page.getByRole("rowheader", { name: "key:2", exact: true }).count(), 0);
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("rowheader", { name: "key:199", exact: true }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("shows a hostile record as text, side by side in both stores", async (t) => {
  if (!hasRecords) return t.skip("no records over HTTP");
  const page = await open(browser, server);
  await page.show("data");
  await page.getByLabel("One key").fill(HOSTILE);
  await page.getByRole("button", { name: "Show in both stores" }).click();
  await page.getByText("both stores hold the same").waitFor();
  assert.equal(await page.locator("pre").count(), 2);
  assert.equal(await page.locator("pre").first().textContent(), `a value with ${HOSTILE}`);
  assert.equal(await page.locator("main img").count(), 0);
  assert.equal(await page.evaluate(() => window.injected), undefined);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
