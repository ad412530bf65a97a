// Everything by the keyboard alone.
import assert from "node:assert/strict";
import { test } from "node:test";

import { open, until, withSeededServer } from "./harness.mjs";

let server, browser;
const focused = (page) =>
  page.evaluate(() => `${document.activeElement.tagName} ${document.activeElement.textContent.slice(0, 40)}`.trim());
withSeededServer((made) => ({ server, browser } = made));

test("from the first Tab to a rollback that is done", async () => {
  await server.route(50);
  const page = await open(browser, server);
  await page.show("overview");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "A Skip to the page");
  await page.keyboard.press("Enter");
  assert.match(await focused(page), /^MAIN/);
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "BUTTON Roll back now…");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("by the keyboard");
  await page.keyboard.press("Tab");
  await page.keyboard.type("roll back");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "BUTTON Cancel");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "BUTTON Roll back now");
  await page.keyboard.press("Enter");

  await page.getByText("Rolled back: LMDB answers every key.").waitFor();
  assert.equal((await server.get("/v1/status")).routing.effective_percentage, 0);
  assert.equal(await focused(page), "BUTTON Roll back now…", "the focus is where it was");
  await until("it ended", async () => (await server.get("/v1/rollback")).operation?.reason === "by the keyboard");
  await page.context().close();
});

test("every page is reached by the keyboard and takes the focus", async () => {
  const page = await open(browser, server);
  await page.show("overview");
  await page.getByRole("link", { name: "Overview", exact: true }).focus();
  for (const name of ["Rollback", "Recovery", "Backups"]) {
    await page.getByRole("link", { name, exact: true }).first().focus();
    await page.keyboard.press("Enter");
    await page.locator(`[data-page=${name.toLowerCase()}] h1`).waitFor();
    await until("the page has the focus", async () => (await focused(page)).startsWith("MAIN"));
    assert.equal(await page.locator("nav [aria-current=page]").count(), 1);
  }
  await page.context().close();
});

test("a dialog keeps the focus inside and gives it back", async () => {
  const page = await open(browser, server);
  await page.show("backups");
  await page.getByRole("button", { name: "Prune" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  for (let press = 0; press < 12; press += 1) {
    await page.keyboard.press("Tab");
    // Between its last element and its first the browser's own controls have their turn (BODY).
    assert.ok(
      await page.evaluate(
        () => document.activeElement.closest("dialog") !== null || document.activeElement === document.body,
      ),
    );
  }
  await page.keyboard.press("Escape");
  await until("the focus is back", async () => (await focused(page)).startsWith("BUTTON Prune"));
  await page.context().close();
});

test("the focus survives that figures are drawn anew", async () => {
  const page = await open(browser, server);
  await page.show("overview");
  const region = page.getByRole("region", { name: "Both stores" });
  await region.focus();
  const before = await page.evaluate(() => performance.now());
  await page.waitForFunction((then) => performance.now() > then + 2500, before);

  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Both stores");
  await page.context().close();
});
