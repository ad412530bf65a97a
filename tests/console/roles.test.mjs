// What a token may not do is held back, and says why; nothing that is offered is refused for want of a right.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { accessibility, launch, open, operationOf, PAGES, Server, until } from "./harness.mjs";

const TOKENS = [
  { name: "vera", role: "viewer", token: "the-token-of-a-viewer" },
  { name: "olaf", role: "operator", token: "the-token-of-an-operator" },
  { name: "adam", role: "admin", token: "the-token-of-an-admin" },
];
let server, browser, where;

function writeTokens(tokens) {
  const file = path.join(server.directory, "tokens.json");
  fs.writeFileSync(`${file}.new`, JSON.stringify({ tokens }), { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
  return file;
}

before(async () => {
  server = await new Server().start();
  await server.seed();
  await server.must("POST", "/v1/schema/up");
  await server.must("POST", "/v1/rollback", { reason: "so that there is evidence" });
  await until("the rollback is over", async () => (await server.get("/v1/rollback")).operation?.stage === "COMPLETED");
  const { backups } = await server.get("/v1/backups");
  where = [...PAGES, `backups/${backups[0].id}`, "history/1"];
  await server.stop();
  const config = { tokens_file: writeTokens(TOKENS) };
  fs.writeFileSync(path.join(server.directory, "config.json"), JSON.stringify(config));
  server.token = TOKENS[2].token;
  await server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});

async function signIn(name) {
  const page = await open(browser, server);
  await page.goto(server.url);
  const dialog = page.getByRole("dialog", { name: "This server asks for a token" });
  await dialog.getByLabel("Token").fill(TOKENS.find((one) => one.name === name).token);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await page
    .locator(".who")
    .filter({ hasText: `Token ${name}` })
    .waitFor();
  page.complaints.length = 0; // the 401 that asked for the token
  return page;
}
async function shows(page, place) {
  await page.show(place);
  await page.waitForFunction(() => !document.body.innerText.includes("Looking…"));
}
// What each button of the page needs, and whether it is held.
const needs = (page) =>
  page.locator("[data-needs]").evaluateAll((list) =>
    list.map((of) => ({
      needs: of.dataset.needs,
      isHeld: of.disabled && of.title.startsWith("The role "),
      says: of.getAttribute("aria-description"),
    })),
  );

// Clicks every button that can be clicked, those that appear meanwhile as well.
async function clickAll(page) {
  const clicked = new Set(["Back"]); // of steps: they are gone through forwards
  for (;;) {
    const buttons = await page.locator("main button:enabled:visible").all();
    let next = null;
    for (const button of buttons) {
      const name = (await button.getAttribute("aria-label")) ?? (await button.textContent());
      if (clicked.has(name)) continue;
      clicked.add(name);
      next = button;
      break;
    }
    if (next === null) return clicked;
    await next.click();
    assert.equal(await page.getByRole("dialog").count(), 0, [...clicked].at(-1));
    await page.waitForFunction(() => !document.body.innerText.includes("Looking…"));
  }
}

test("a viewer is offered nothing that would be refused", async (t) => {
  const page = await signIn("vera");
  const head = async () => (await server.get("/v1/history?limit=1")).head.number;
  const before = await head();
  let held = 0;
  for (const place of where) {
    await t.test(place, async () => {
      await shows(page, place);
      const clicked = await clickAll(page);
      const all = await needs(page);
      held += all.length;
      assert.ok(
        all.every(({ isHeld, says }) => isHeld && says === "The role viewer of the token vera may not do this."),
        JSON.stringify(all),
      );
      assert.deepEqual(page.complaints, [], [...clicked].join(", "));
      assert.deepEqual(await accessibility(page), []);
    });
  }
  assert.ok(held > 20, `${held}`);
  assert.equal(await head(), before);
  await page.context().close();
});

for (const [name, role, withheld] of [
  ["olaf", "operator", "admin"],
  ["adam", "admin", null],
]) {
  test(`an ${role} is held back where the server would refuse, and nowhere else`, async () => {
    const page = await signIn(name);
    const seen = new Set();
    for (const place of where) {
      await shows(page, place);
      for (const { needs: operation, isHeld } of await needs(page)) {
        const [method, pattern] = operation.split(" ");
        const described = operationOf(method, server.url + pattern);
        assert.ok(described, operation);
        assert.equal(isHeld, described["x-role"] === withheld, operation);
        seen.add(operation);
      }
    }
    assert.ok(seen.size > 12, [...seen].join(", "));
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test("a role that is taken away shows on the page at once it is felt", async () => {
  const page = await signIn("olaf");
  await shows(page, "overview");
  const button = page.getByRole("button", { name: "Roll back now…" });
  await button.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill("roll back");
  writeTokens(TOKENS.map((one) => (one.name === "olaf" ? { ...one, role: "viewer" } : one)));
  await until("the role is another one", async () => {
    const answer = await fetch(`${server.url}/v1/whoami`, { headers: { Authorization: `Bearer ${TOKENS[1].token}` } });
    return (await answer.json()).role === "viewer";
  });
  await dialog.getByRole("button", { name: "Roll back now" }).click();
  await page.getByRole("alert").getByText("this needs the role operator").waitFor();

  await page.locator(".who").filter({ hasText: "Token olaf: viewer" }).waitFor();
  assert.ok(await button.isDisabled());
  writeTokens(TOKENS);
  await until("the role is back", async () => {
    const answer = await fetch(`${server.url}/v1/whoami`, { headers: { Authorization: `Bearer ${TOKENS[1].token}` } });
    return (await answer.json()).role === "operator";
  });
  await page.getByRole("link", { name: "Flags", exact: true }).click();
  await page.getByRole("link", { name: "Overview", exact: true }).click();
  await until("the button is free", () => button.isEnabled());
  await page.context().close();
});
