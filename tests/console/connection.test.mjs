// A server that goes and comes back, and one that asks for a token.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, Server } from "./harness.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("a lost server makes the page stale, and its return makes it live again", async () => {
  const server = await new Server().start();
  const page = await open(browser, server);
  await page.show("overview");
  await page.locator("#link-text").getByText("live", { exact: true }).waitFor();

  await server.kill();
  await page.getByRole("alert").getByText("No connection to the server.").waitFor();
  await page.getByText(/What you see is from \d\d:\d\d:\d\d/).waitFor();
  assert.equal(await page.evaluate(() => document.body.hasAttribute("data-stale")), true);
  assert.equal(await page.locator("#link-text").textContent(), "no connection");

  await server.restart();
  await page.locator("#link-text").getByText("live", { exact: true }).waitFor();
  assert.equal(await page.locator("#stale").isVisible(), false);
  // Events flow again: a change by somebody else is seen.
  await server.must("PUT", "/v1/flags/OTHER", { enabled: true, percentage: 7 });
  await page.getByRole("link", { name: "Flags", exact: true }).click();
  await page.getByRole("rowheader", { name: "OTHER" }).waitFor();
  const foreign = page.complaints.filter(
    (text) =>
      !text.includes("ERR_CONNECTION_REFUSED") &&
      !text.includes("ERR_INCOMPLETE_CHUNKED_ENCODING") &&
      !text.includes("ERR_EMPTY_RESPONSE") &&
      !text.includes("ERR_CONNECTION_RESET"),
  );
  assert.deepEqual(foreign, []);
  await page.context().close();
  await server.remove();
});

test("what others change is shown without a reload", async () => {
  const server = await new Server().start();
  const page = await open(browser, server);
  await page.show("flags");
  await page.locator("#link-text").getByText("live", { exact: true }).waitFor();

  await server.must("PUT", "/v1/flags/BY_OTHERS", { enabled: true, percentage: 7 });
  await page.getByRole("rowheader", { name: "BY_OTHERS" }).waitFor();
  await page.context().close();
  await server.remove();
});

test("a token is asked for once, kept in the tab, and a wrong one is said", async () => {
  const server = await new Server({ environment: { SWITCHBACK_TOKEN: "correct horse" } }).start();
  const page = await open(browser, server);
  await page.goto(server.url);
  const dialog = page.getByRole("dialog", { name: "This server asks for a token" });
  await dialog.getByLabel("Token").fill("wrong");
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.getByText("That token was refused.").waitFor();
  await dialog.getByLabel("Token").fill("correct horse");
  await dialog.getByRole("button", { name: "Go on" }).click();

  await page.locator("#link-text").getByText("live", { exact: true }).waitFor();
  await page.reload();
  await page.locator("#link-text").getByText("live", { exact: true }).waitFor();
  assert.equal(await dialog.count(), 0);
  assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage }).includes("horse")), false);
  const other = await open(browser, server);
  await other.goto(server.url);
  await other.getByRole("dialog").waitFor();
  await page.context().close();
  await other.context().close();
  await server.remove();
});
