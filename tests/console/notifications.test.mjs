// Who is notified: what waits, what failed, a test, from the browser.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";

import { accessibility, launch, open, Server } from "./harness.mjs";

let server, browser, receiver;
const got = [];
let status = 204;
before(async () => {
  receiver = http.createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      if (status === 204) got.push(JSON.parse(body));
      response.writeHead(status).end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${receiver.address().port}/hook?key=hidden`;
  server = await new Server({
    config: {
      notifications: [
        { kind: "webhook", name: "alerts", url },
        { kind: "command", name: "pager", argv: ["/bin/true"], events: ["guard.trip"] },
      ],
      notification_retry: { ms_min: 20, ms_max: 100, seconds_max: 3600 },
    },
  }).start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
  receiver?.close();
});

test("what a receiver does not take waits, is seen, and goes once it does", async () => {
  status = 503;
  const page = await open(browser, server);
  await page.show("notifications");
  await page.getByRole("rowheader", { name: "alerts" }).waitFor();
  await server.backup("to be told of");
  await page.getByText(/alerts does not take what waits: 1\./).waitFor();
  await page.getByText("503").first().waitFor();
  assert.deepEqual(await accessibility(page), []);
  assert.equal(got.length, 0);
  await page.show("overview");
  await page.getByText(/alerts does not take what waits: 1\./).waitFor();
  await page.show("notifications");

  status = 204;
  await page.getByText(/alerts does not take what waits/).waitFor({ state: "detached" });
  const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "alerts" }) });
  await row.getByText("delivered").waitFor();
  assert.deepEqual(
    got.map(({ kind }) => kind),
    ["backup.result"],
  );
  assert.equal((await page.content()).includes("key=hidden"), false, "of an address only host and port are shown");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a test is sent to one, or to all, and its outcome shown", async () => {
  const before = got.length;
  const page = await open(browser, server);
  await page.show("notifications");
  await page.getByRole("button", { name: "Send a test to pager" }).click();
  const came = page.getByRole("region", { name: "What came of the test" });
  await came.getByRole("rowheader", { name: "pager" }).waitFor();
  assert.equal(await came.getByRole("rowheader").count(), 1);
  await page.getByRole("button", { name: "Send a test to all" }).click();
  await came.getByRole("rowheader", { name: "alerts" }).waitFor();
  assert.equal(await came.getByText("delivered").count(), 2);
  assert.equal(got.length, before + 1);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("what a receiver refuses for good is said", async () => {
  status = 400;
  const page = await open(browser, server);
  await page.show("notifications");
  await server.backup("refused");
  await page.getByText("alerts did not get all:").waitFor();
  await page.getByText("1 refused").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
