// Every page as it stands: it renders, complains of nothing, can be read by everybody, and fits a phone.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import zlib from "node:zlib";

import { accessibility, HOSTILE, launch, load, open, PAGES, report, ROOT, Server, until } from "./harness.mjs";

const SCREENSHOTS = path.join(ROOT, "docs/screenshots");
let server, browser, hasRecords;

before(async () => {
  server = await new Server({
    config: {
      notifications: [{ kind: "command", name: "pager", argv: ["/bin/true"], events: ["backup.*", "rollback.*"] }],
    },
  }).start();
  await server.seed();
  await server.route(50);
  await server.must("POST", "/v1/schema/up");
  await server.must("POST", "/v1/rollback", { reason: "a rollback to look at" });
  await until("the rollback is over", async () => (await server.get("/v1/rollback")).operation?.stage === "COMPLETED");
  await server.route(25);
  hasRecords = (await server.http("GET", "/v1/collections")).status === 200;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});

// Without the records API the page Data asks in vain, and Chromium writes that into its console.
const complaintsOf = (page, name) =>
  page.complaints.filter((text) => hasRecords || name !== "data" || !text.includes("404"));
const settled = async (page) => {
  await page.waitForFunction(
    () => document.querySelector("#link").dataset.state === "live" && !document.body.innerText.includes("Looking…"),
  );
};

for (const colorScheme of ["light", "dark"]) {
  test(`every page renders and is accessible in ${colorScheme}`, async (t) => {
    const page = await open(browser, server, { colorScheme });
    for (const name of PAGES) {
      await t.test(name, async () => {
        page.complaints.length = 0;
        await page.show(name);
        await settled(page);
        assert.deepEqual(await accessibility(page), []);
        assert.deepEqual(complaintsOf(page, name), []);
        assert.equal(await page.evaluate(() => window.injected), undefined);
      });
    }
    await page.context().close();
  });
}

test("every page fits 360 pixels, and the menu leads on", async (t) => {
  const page = await open(browser, server, { width: 360, height: 740 });
  await page.show("history");
  for (const name of PAGES) {
    await t.test(name, async () => {
      await page.getByRole("button", { name: "Menu" }).click();
      await page.locator(`nav [data-page=${name}]`).click();
      await page.locator(`main [data-page=${name}] h1`).waitFor();
      await settled(page);
      const [width, content] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
      assert.ok(content <= width, `${content} > ${width}`);
    });
  }
  await page.context().close();
});

test("the details of a backup and of an operation are accessible", async () => {
  const page = await open(browser, server);
  const { backups } = await server.get("/v1/backups");
  for (const where of [`backups/${backups[0].id}`, "history/1"]) {
    await page.show(where);
    await settled(page);
    assert.deepEqual(await accessibility(page), [], where);
  }
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("dialogs are accessible, and nothing is done when they are left", async () => {
  const before = (await server.get("/v1/history?limit=1")).head.number;
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, server, { colorScheme });
    const { backups } = await server.get("/v1/backups");
    for (const [where, name] of [
      ["overview", "Roll back now…"],
      [`backups/${backups[0].id}`, "Restore…"],
      ["flags", "Change USE_UNIFIED_DB_SERVICE"],
      ["migration", "Start…"],
    ]) {
      await page.show(where);
      await settled(page);
      await page.getByRole("button", { name }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await accessibility(page), [], where);
      await page.keyboard.press("Escape");
    }
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  }
  assert.equal((await server.get("/v1/history?limit=1")).head.number, before);
});

test("a hostile note is text", async () => {
  const page = await open(browser, server);
  await page.show("backups");
  await page.getByText(HOSTILE).first().waitFor();

  assert.equal(await page.locator("main img").count(), 0);
  assert.equal(await page.evaluate(() => window.injected), undefined);
  await page.context().close();
});

test("markup and scripts from elsewhere are refused by the policy", async () => {
  const page = await open(browser, server);
  await page.show("overview");

  const refused = await page.evaluate(() => {
    try {
      document.body.innerHTML = "<p>x</p>";
      return false;
    } catch (error) {
      return error instanceof TypeError;
    }
  });
  assert.ok(refused);
  const { headers } = await fetch(server.url);
  assert.match(headers.get("content-security-policy"), /default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("referrer-policy"), "no-referrer");
  await page.context().close();
});

test("the theme can be chosen and stays", async () => {
  const page = await open(browser, server);
  await page.show("overview");
  await page.getByRole("button", { name: "Change to the dark theme" }).click();
  await page.reload();

  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.context().close();
});

test("it is small and there at once", async () => {
  const page = await open(browser, server);
  const network = await page.context().newCDPSession(page);
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.show("overview");
  const paints = [];
  for (let round = 0; round < 9; round += 1) {
    await page.reload();
    await page.locator("[data-page=overview] h1").waitFor();
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  await page.context().close();
  paints.sort((left, right) => left - right);
  const files = fs
    .readdirSync(path.join(ROOT, "console"), { recursive: true, withFileTypes: false })
    .map(String)
    .filter((file) => /\.(html|css|js|svg)$/.test(file));
  let bytes = 0;
  for (const file of files) {
    const name = file === "index.html" ? "" : `console/${file}`;
    const response = await fetch(`${server.url}/${name}`, { headers: { "Accept-Encoding": "identity" } });
    assert.equal(response.status, 200, name);
    bytes += zlib.gzipSync(Buffer.from(await response.arrayBuffer()), { level: 9 }).length;
  }
  const [least, median, most] = [paints[0], paints[4], paints[8]].map((paint) => paint.toFixed(0));
  report(
    `console: ${files.length} files, ${(bytes / 1000).toFixed(1)} kB compressed; first paint without a cache ${median} ms (median of 9; ${least} to ${most} ms)`,
  );
  assert.ok(bytes < 150_000);
  // The least: whatever else this machine does makes it later, never earlier.
  assert.ok(paints[0] < 200, `first paint ${least} ms`);
});

test(
  "screenshots for the documentation",
  { skip: !process.env.SWITCHBACK_SCREENSHOTS && "SWITCHBACK_SCREENSHOTS=1 writes them" },
  async () => {
    fs.mkdirSync(SCREENSHOTS, { recursive: true });
    const traffic = load(server);
    const page = await open(browser, server, { width: 1100, height: 900 });
    for (const name of PAGES) {
      await page.show(name);
      await settled(page);
      if (name === "overview")
        await page.waitForFunction(
          () => document.querySelectorAll(".uplot").length === 6 && performance.now() > 25_000,
          null,
          { timeout: 60_000 },
        );
      if (name === "data" && hasRecords) {
        await page.getByRole("button", { name: "Browse users" }).click();
        await page.getByRole("button", { name: "Show alice in both stores" }).click();
        await page.getByText("both stores hold the same").waitFor();
        await page.evaluate(() => scrollTo(0, 0));
      }
      if (name === "rollout") {
        await page.getByLabel("Steps, in percent").fill("50, 75, 100");
        await page.getByRole("button", { name: "Dry run" }).click();
        await page.getByRole("region", { name: "The plan" }).waitFor();
      }
      // The directory of a test says nothing to anybody.
      await page.evaluate((directory) => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode())
          walker.currentNode.data = walker.currentNode.data.replaceAll(directory, "/var/lib/app");
      }, server.directory);
      await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
    }
    await traffic.stop();
    await page.context().close();
  },
);
