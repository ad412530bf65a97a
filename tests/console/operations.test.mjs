// Migration, rollout, schema, flags and history, from the browser.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { FLAG, load, open, Resp, until, withSeededServer } from "./harness.mjs";

let server, browser;
const migration = () => server.get("/v1/migration");
withSeededServer((made) => ({ server, browser } = made));

test("a copy is taken back only on the right word, then made anew with a throttle and compared", async () => {
  await server.route(0);
  const page = await open(browser, server);
  await page.show("migration");
  await page.getByRole("button", { name: "Take the copy back" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").fill("abandoned");
  await dialog.getByLabel("Type").press("Enter");
  assert.equal((await migration()).state, "complete");
  await dialog.getByLabel("Type").fill("abandon");
  await dialog.getByRole("button", { name: "Empty SQLite" }).click();
  await until("SQLite is empty", async () => (await migration()).state === "rolled-back");

  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByLabel("Why").fill("once more");
  await page.getByRole("dialog").getByRole("button", { name: "Start" }).click();
  await page.getByText("The migration has begun.").waitFor();
  await until("the copy is there", async () => (await migration()).state === "complete");
  assert.equal((await migration()).reason, "once more");

  await page.getByLabel("Copy at most, in MiB/s").fill("2.5");
  await page.getByRole("button", { name: "Set the throttle" }).click();
  await page.getByText("In force.").waitFor();
  assert.equal((await migration()).settings.bytes_per_second, 2.5 * 1024 * 1024);
  await page.getByRole("button", { name: "Compare both stores" }).click();
  await page.getByText("clean").first().waitFor();
  await page.getByRole("button", { name: "Show what differs" }).click();
  await page.getByText("None was found.").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a copy is paused, goes on and is cancelled", async () => {
  await server.must("POST", "/v1/migration/abandon");
  await until("SQLite is empty", async () => (await migration()).state === "rolled-back");
  // So much of it, and so slowly, that it is under way for as long as somebody looks.
  const client = new Resp(server.endpoints.resp.port);
  await Promise.all(Array.from({ length: 20_000 }, (_, i) => client.send("SET", `more:${i}`, "x".repeat(300))));
  client.close();
  await server.must("POST", "/v1/drain"); // a copy begins with what LMDB has applied
  await server.must("POST", "/v1/migration/start", {
    settings: { bytes_per_second: 100_000, is_backed_up_before: false },
  });
  const page = await open(browser, server);
  await page.show("migration");
  await page.getByRole("button", { name: "Pause" }).click();
  await until("paused", async () => (await migration()).state === "paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await until("running", async () => (await migration()).state === "running");
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("dialog").getByLabel("Type").fill("cancel");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the migration" }).click();
  await until("cancelled", async () => !["running", "rolling-back"].includes((await migration()).state));

  await server.must("POST", "/v1/migration/start", { settings: { bytes_per_second: 0, is_backed_up_before: false } });
  await until("the copy is there", async () => (await migration()).state === "complete");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a rollout is planned, begun, held, promoted and aborted", async () => {
  await server.route(0);
  const rollout = () => server.get("/v1/rollout");
  const page = await open(browser, server);
  await page.show("rollout");
  await page.getByLabel("Steps, in percent").fill("5, 50");
  await page.getByRole("button", { name: "Dry run" }).click();
  await page.getByRole("region", { name: "The plan" }).getByText("50 %").waitFor();
  assert.equal((await rollout()).state, "none");
  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByLabel("Why").fill("release 7");
  await page.getByRole("dialog").getByRole("button", { name: "Start" }).click();
  await until("5 % in force", async () => (await rollout()).effective_percentage === 5);
  await page.getByRole("button", { name: "Hold" }).click();
  await until("held", async () => (await rollout()).state === "paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await until("running", async () => (await rollout()).state === "running");
  await page.getByRole("button", { name: "Promote" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
  await until("50 % in force", async () => (await rollout()).effective_percentage === 50);
  await page.getByRole("button", { name: "Abort…" }).click();
  await page.getByRole("dialog").getByLabel("Type").fill("Abort");
  await page.getByRole("dialog").getByLabel("Type").press("Enter");
  assert.equal((await rollout()).state, "running");
  await page.getByRole("dialog").getByLabel("Type").fill("abort");
  await page.getByRole("dialog").getByRole("button", { name: "Abort" }).click();

  await until("aborted", async () => (await rollout()).state === "aborted");
  assert.equal((await rollout()).effective_percentage, 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("versions of the schema go up, and down on the right word with what that means", async () => {
  const version = async () => (await server.get("/v1/schema")).version;
  const page = await open(browser, server);
  await page.show("schema");
  await page.getByRole("button", { name: "Up to the newest" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Apply" }).click();
  await page.getByText("The schema has version 2.").waitFor();
  await page.getByRole("button", { name: "Validate" }).click();
  await page.getByText("Checked.").waitFor();

  await page.getByRole("link", { name: "Rollback", exact: true }).click();
  await page.getByRole("button", { name: "Take the schema back to version 1" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Undone, newest first: 2 notes.").waitFor();
  await dialog.getByLabel("Type").fill("down");
  await dialog.getByLabel("Type").press("Enter");
  assert.equal(await version(), 2);
  await dialog.getByLabel("Type").fill("down to 1");
  await dialog.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("The schema has version 1.").waitFor();
  assert.equal(await version(), 1);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a flag is changed, is in the history with who and why, and a key is explained", async () => {
  const traffic = load(server);
  const page = await open(browser, server);
  await page.show("flags");
  await page.getByLabel("Your name, for the history").fill("ann");
  await page.getByLabel("Your name, for the history").blur();
  await page.getByRole("button", { name: "Change USE_UNIFIED_DB_SERVICE" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("On").check();
  await dialog.getByLabel("Share of the keys").fill("30");
  await dialog.getByLabel("Why").fill("a third");
  await dialog.getByRole("button", { name: "Change it" }).click();
  await page.getByText("The flag is changed.").waitFor();

  assert.equal((await server.get(FLAG)).effective_percentage, 30);
  await page
    .getByRole("region", { name: "Changes" })
    .getByText(/30 %: a third/)
    .waitFor();
  await page.getByRole("region", { name: "Changes" }).getByRole("cell", { name: "ann" }).first().waitFor();
  await page.getByLabel("Key", { exact: true }).fill("{tenant-a}:<i>1</i>");
  await page.getByRole("button", { name: "Who gets what" }).click();
  await page.getByText("tenant-a", { exact: true }).waitFor();
  const { bucket, store } = await server.get(`${FLAG}/explain?key=%7Btenant-a%7D%3A%3Ci%3E1%3C%2Fi%3E`);
  await page.getByText(`${bucket.toFixed(3)} of 100`).waitFor();
  await page.getByText(store === "unified" ? "unified (SQLite)" : "legacy (LMDB)").waitFor();
  await server.route(0);
  await traffic.stop();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a flag that goes by a rule shows it, and is turned off without losing it", async () => {
  const file = (await server.get("/v1/flags")).file;
  const targeting = { if: [{ starts_with: [{ var: "targetingKey" }, "tenant-a"] }, "on", "off"] };
  const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting };
  fs.writeFileSync(file, JSON.stringify({ flags: { BY_RULE: flag } }));
  await until("the rule is read", async () => (await server.get("/v1/flags")).flags.some((one) => one.targeting));
  const page = await open(browser, server);
  await page.show("flags");
  await page.getByText("by a rule", { exact: true }).click();
  await page.getByText("starts_with").waitFor();
  await page.getByRole("button", { name: "Change BY_RULE" }).click();
  const dialog = page.getByRole("dialog");
  assert.equal(await dialog.getByLabel("Share of the keys").count(), 0);
  await dialog.getByLabel("On").uncheck();
  await dialog.getByLabel("Why").fill("back");
  await dialog.getByRole("button", { name: "Change it" }).click();
  await page.getByText("The flag is changed.").waitFor();
  const { flags } = JSON.parse(fs.readFileSync(file, "utf8"));
  assert.deepEqual(flags.BY_RULE, { ...flag, state: "DISABLED" });
  fs.writeFileSync(file, "{}");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("history: an operation, a note, files for others, intact", async () => {
  const page = await open(browser, server);
  await page.show("history");
  await page.getByLabel("Kind").selectOption("schema");
  await page
    .getByRole("link", { name: /Operation \d+/ })
    .first()
    .click();
  await page.getByLabel("What people know").fill("the <script>disk</script> was full");
  await page.getByLabel("It is").selectOption("root-cause");
  await page.getByRole("button", { name: "Add the note" }).click();
  await page.getByRole("region", { name: "Notes" }).getByText("the <script>disk</script> was full").waitFor();
  for (const [name, ending, begin] of [
    ["Save as Markdown", "md", "|"],
    ["Save as CSV", "csv", "number"],
  ]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    assert.equal(download.suggestedFilename(), `switchback-history.${ending}`);
    assert.ok(fs.readFileSync(await download.path(), "utf8").includes(begin));
  }
  await page.getByRole("button", { name: "Check every entry" }).click();
  await page.getByText("intact").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
