// Who is told of what happens: what waits for each, what came of the newest, a test.
import { get, post } from "../api.js";
import { fill, h, onChange } from "../dom.js";
import { number, seconds, time } from "../format.js";
import { every } from "../live.js";
import { troubles } from "../receivers.js";
import { act, badge, button, copyable, head, notice, panel, table } from "../widgets.js";

const POLL_MS = 2000;
const EXAMPLE = `{"notifications": [
  {"kind": "webhook", "url": "https://alerts.example/switchback", "secret_file": "/etc/switchback/hook.secret"},
  {"kind": "command", "argv": ["/usr/local/bin/page", "oncall"], "events": ["guard.trip", "server.safe-mode"]}]}`;
const TONE = { delivered: "good", failed: "bad", refused: "bad", expired: "bad", dropped: "bad" };
const outcome = (word) => badge(word, TONE[word] ?? "");

function sinksTable(sinks, test) {
  return table(
    "Who is notified",
    [
      { name: "Name", head: true, cell: (row) => row.name },
      { name: "To", cell: (row) => [row.kind, " ", h("code", {}, row.target)] },
      { name: "Of", cell: (row) => (row.events === "all" ? "all" : row.events.join(", ")) },
      { name: "Waiting", number: true, cell: (row) => number(row.waiting) },
      { name: "Delivered", number: true, cell: (row) => number(row.delivered) },
      { name: "Attempts that failed", number: true, cell: (row) => number(row.failed) },
      {
        name: "Next attempt",
        number: true,
        cell: (row) => (row.next_attempt_seconds === null ? "–" : seconds(Math.ceil(row.next_attempt_seconds))),
      },
      {
        name: "The newest",
        cell: (row) =>
          row.last
            ? [outcome(row.last.outcome), " ", time(row.last.time), h("div", { class: "small muted" }, row.last.text)]
            : "–",
      },
      {
        name: "",
        cell: (row) =>
          button("Send a test", () => test(row.name), {
            key: `test-${row.name}`,
            name: `Send a test to ${row.name}`,
            needs: "POST /v1/notifications/test",
          }),
      },
    ],
    sinks,
  );
}

const resultsTable = ({ results }) =>
  table(
    "What came of the test",
    [
      { name: "Name", head: true, cell: (row) => row.sink },
      { name: "Outcome", cell: (row) => outcome(row.outcome) },
      { name: "Answer", cell: (row) => row.text },
    ],
    results,
  );

const nobody = () => [
  h("p", {}, "Nobody is notified. The configuration names webhooks and programs, such as:"),
  copyable(EXAMPLE).node,
];

export function mount(root) {
  const place = h("div", { class: "live-data" }, h("p", { class: "muted" }, "Looking…"));
  const came = h("div", { "aria-live": "polite" });
  const test = async (sink) => {
    const answer = await act("", () => post("/v1/notifications/test", { sink }));
    if (answer) fill(came, panel("The test", resultsTable(answer)));
    look();
  };
  const draw = onChange(({ sinks, error }) =>
    fill(
      place,
      error
        ? notice("bad", error)
        : sinks.length === 0
          ? nobody()
          : [
              troubles(sinks),
              sinksTable(sinks, test),
              sinks.length > 1 &&
                button("Send a test to all", () => test(""), { key: "test", needs: "POST /v1/notifications/test" }),
            ],
    ),
  );
  // A lost connection is told by the frame: what was seen stays.
  async function look() {
    try {
      draw(await get("/v1/notifications"));
    } catch (error) {
      if (error.status) draw({ error: error.message });
    }
  }
  fill(
    root,
    head(
      "Notifications",
      "Who hears of trips, rollbacks, copies and backups without watching. What a receiver does not take waits on disk and is sent again.",
    ),
    panel(null, place),
    came,
  );
  return every(POLL_MS, look);
}
