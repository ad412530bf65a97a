// Something went wrong: from what happened to what to tell others, one step after the other.
import { rollBackNow, schemaDownsides, schemaTo } from "../actions.js";
import { actor, get, once, post, request } from "../api.js";
import { fill, h } from "../dom.js";
import { number, percent, plural, seconds } from "../format.js";
import { followBackups, restore, restoreBackup, undoRestore } from "../restore.js";
import { followRollback } from "../rollback_view.js";
import { act, badge, button, checksTable, copyable, field, head, load, notice, panel, steps } from "../widgets.js";

const STEPS = ["What happened", "Checks", "Go back", "Validation", "Tell others"];
const KINDS = {
  store: ["SQLite answers with errors, slowly, or differs from LMDB", "Roll back by the flag. It loses nothing."],
  schema: [
    "A change of the schema broke queries",
    "Take the schema back to the version before. Records stay as they are.",
  ],
  data: [
    "Wrong data was written (a bad deploy, a mistake)",
    "Both stores hold what was written: the flag does not help. Restore to the moment before.",
  ],
  damage: [
    "A store or a file is damaged",
    "If LMDB is well, roll back by the flag and fill SQLite anew. Else restore a backup. If the server does not start: switchback doctor.",
  ],
  unknown: ["Not known yet", "Roll back by the flag first: it loses nothing, and one can look in peace."],
};
// Kept while the console is open, so that looking at another page loses nothing.
const incident = { step: 0, kind: "unknown", since: "", words: "", done: [], validation: null };

const local = (date) => new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
const utc = (text) => `${new Date(text).toISOString().slice(0, 19)}Z`;
const shown = (text) => (text ? `${text.replace("T", " ")} (${utc(text)})` : "not said");

// ---- the steps: each draws itself and calls go(step)

function whatStep(go) {
  const choice = (kind) =>
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "radio",
        name: "kind",
        value: kind,
        checked: incident.kind === kind,
        onchange: () => {
          incident.kind = kind;
        },
      }),
      KINDS[kind][0],
    );
  const since = field("Since when", {
    type: "datetime-local",
    step: "1",
    value: incident.since || local(new Date()),
    hint: "In your time. A restore to a moment begins with it.",
  });
  const words = field("What was seen", { type: "textarea", value: incident.words, maxlength: 900 });
  return h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        Object.assign(incident, { since: since.value(), words: words.value() });
        go(1);
      },
    },
    h("fieldset", {}, h("legend", {}, "Which is it?"), Object.keys(KINDS).map(choice)),
    h("div", { class: "fields" }, since.node),
    words.node,
    h("button", { type: "submit", class: "main" }, "Next: checks"),
  );
}

async function lookAround() {
  const [check, verify, backups, status, ready] = await Promise.all([
    get("/v1/rollback/check"),
    get("/v1/verify"),
    get("/v1/backups"),
    get("/v1/status"),
    request("GET", "/readyz"),
  ]);
  const newest = backups.backups.find(({ state, verified }) => state === "ok" && verified);
  return [
    {
      name: "The server serves reads and writes",
      passed: ready.ok,
      detail: ready.ok ? "ready" : "not ready: see the Overview",
    },
    {
      name: "The commit log is well",
      passed: !status.log.is_failed,
      detail: status.log.error || "every acknowledged write is durable",
    },
    ...Object.entries(status.followers).map(([role, of]) => ({
      name: `${role} is in sync`,
      passed: of.state === "in-sync",
      detail: of.reason || `${of.state}, ${plural(of.lag_batches, "batch", "batches")} behind`,
    })),
    {
      name: "Rolling back by the flag is possible",
      passed: check.can_roll_back,
      detail: check.reason || `${percent(check.percentage)} of the keys would move, ${check.writes_lost} writes lost`,
    },
    {
      name: "The newest verify found no difference",
      passed: verify.state === "clean",
      detail: `${verify.state}, ${plural(verify.differences ?? 0, "difference")}`,
    },
    {
      name: "There is a verified backup",
      passed: newest !== undefined,
      detail: newest ? `${newest.id}, ${seconds(newest.age_seconds)} old` : "none",
    },
  ];
}

function checksStep(go) {
  const place = h("div", { "aria-live": "polite" }, h("p", { class: "muted" }, "Looking…"));
  load(place, async () => fill(place, checksTable(await lookAround())));
  return h(
    "div",
    {},
    place,
    notice("warn", h("strong", {}, "Advice: "), KINDS[incident.kind][1]),
    h(
      "div",
      { class: "row" },
      button("Back", () => go(0)),
      button("Look again", () => go(1)),
      button("Next: go back", () => go(2), { kind: "main" }),
    ),
  );
}

function ways(begun, schema, backups, previous) {
  const done = (what) => incident.done.push(`${new Date().toISOString().slice(0, 19)}Z ${what}`);
  const flag = async () => {
    if (await rollBackNow()) {
      done("every key was sent back to LMDB (flag off); no write was lost");
      begun("rollback");
    }
  };
  const moment = field("To the moment before it began", { type: "datetime-local", step: "1", value: incident.since });
  const toMoment = async () => {
    const when = utc(moment.value());
    if (
      await restore({ path: "/v1/restore", title: `Restore to ${when}`, phrase: "restore", options: { to_time: when } })
    ) {
      done(`both stores were restored to ${when}`);
      begun("restore");
    }
  };
  const newest = backups.backups.filter(({ state, verified }) => state === "ok" && verified).slice(0, 10);
  const backup = field("A backup", {
    options: newest.map(({ id, age_seconds: age, note }) => [
      id,
      `${id}, ${seconds(age)} old${note ? `, ${note}` : ""}`,
    ]),
    value: newest[0]?.id,
  });
  const toBackup = async () => {
    if (await restoreBackup(backup.value())) {
      done(`both stores were restored to backup ${backup.value()}`);
      begun("restore");
    }
  };
  const undo = async () => {
    if (await undoRestore()) {
      done(`the restore was undone: ${previous} is in use again`);
      begun("restore");
    }
  };
  const down = async () => {
    const version = schema.version - 1;
    if (await schemaTo(schema, version)) {
      done(`the schema was taken back from version ${schema.version} to ${version}`);
      begun("schema");
    }
  };
  return {
    store: panel(
      "By the flag",
      h("p", {}, "Milliseconds, nothing lost."),
      button("Roll back now…", flag, { kind: "danger", key: "flag", needs: "POST /v1/rollback" }),
    ),
    schema: panel(
      "The schema",
      schema.version > 0
        ? [
            h(
              "ul",
              {},
              schemaDownsides(schema.versions, schema.version, schema.version - 1).map((line) => h("li", {}, line)),
            ),
            button(`Back to version ${schema.version - 1}…`, down, { kind: "danger", needs: "POST /v1/schema/to" }),
          ]
        : h("p", { class: "muted" }, "No version is applied."),
    ),
    data: panel(
      "To a moment",
      h(
        "p",
        {},
        "What was written since goes, in both stores. The plan is shown first, a safety backup is made, and “undo” leads back.",
      ),
      h("div", { class: "fields" }, moment.node),
      button("Restore to the moment: show the plan…", toMoment, {
        kind: "danger",
        key: "moment",
        needs: "POST /v1/restore",
      }),
    ),
    damage: panel(
      "To a backup",
      newest.length > 0
        ? [
            h("div", { class: "fields" }, backup.node),
            button("Restore the backup: show the plan…", toBackup, {
              kind: "danger",
              key: "backup",
              needs: "POST /v1/backups/{id}/restore",
            }),
          ]
        : h("p", { class: "muted" }, "There is no verified backup."),
      previous && button(`Undo the restore (back to ${previous})…`, undo, { needs: "POST /v1/restore/undo" }),
    ),
  };
}

function backStep(go, cleanups) {
  const place = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const progress = h("div");
  const ended = h("div", { "aria-live": "polite" });
  const follow = followBackups((status) =>
    fill(
      ended,
      status.state === "failed"
        ? notice("bad", `It failed, and everything is as it was: ${status.error}`)
        : notice("good", `Done: ${status.operation}.`),
    ),
  );
  cleanups.push(follow.stop);
  const begun = (what) => {
    if (what === "restore") return follow.begun();
    if (what === "schema") return fill(ended, notice("good", "Done: the schema."));
    const rollback = followRollback();
    cleanups.push(rollback.stop);
    fill(progress, panel("The rollback", rollback.node));
  };
  load(place, async () => {
    const [schema, backups, status] = await Promise.all([get("/v1/schema"), get("/v1/backups"), get("/v1/status")]);
    const all = ways(begun, schema, backups, status.previous_generation);
    const first = incident.kind === "unknown" ? "store" : incident.kind;
    fill(
      place,
      h("p", {}, h("strong", {}, "Advised: "), KINDS[incident.kind][1]),
      all[first],
      h(
        "details",
        {},
        h("summary", {}, "Other ways back"),
        Object.keys(all)
          .filter((kind) => kind !== first)
          .map((kind) => all[kind]),
      ),
    );
  });
  return h(
    "div",
    {},
    place,
    follow.node,
    progress,
    ended,
    h(
      "div",
      { class: "row" },
      button("Back", () => go(1)),
      button("Next: validation", () => go(3), { kind: "main" }),
    ),
  );
}

function validationStep(go) {
  const place = h("div", { "aria-live": "polite" });
  const draw = () => {
    if (incident.validation)
      fill(
        place,
        h("p", {}, "Result: ", badge(incident.validation.passed ? "ok" : "failed")),
        checksTable(incident.validation.checks),
      );
    else fill(place, h("p", { class: "muted" }, "Not checked yet."));
  };
  const run = async () => {
    fill(place, h("p", {}, "Reads, writes, scans, both stores, latency and memory are being checked…"));
    const answer = await act("", () => post("/v1/rollback/validate", { actor: actor() }));
    if (answer) incident.validation = answer.operation?.validation ?? null;
    draw();
  };
  draw();
  return h(
    "div",
    {},
    place,
    h(
      "div",
      { class: "row" },
      button("Check the service now", run, { key: "validate", needs: "POST /v1/rollback/validate" }),
      button(
        "Compare both stores in full",
        () =>
          act("The verify has begun: the page Migration follows it.", () =>
            once("/v1/verify/start", { actor: actor() }),
          ),
        { needs: "POST /v1/verify/start" },
      ),
    ),
    h(
      "div",
      { class: "row" },
      button("Back", () => go(2)),
      button("Next: tell others", () => go(4), { kind: "main" }),
    ),
  );
}

async function words() {
  const status = await get("/v1/status");
  const validation = incident.validation;
  return [
    `Switchback: ${KINDS[incident.kind][0].toLowerCase()}`,
    `Since: ${shown(incident.since)}`,
    incident.words && `Seen: ${incident.words}`,
    `Done: ${incident.done.length > 0 ? incident.done.join("; ") : "nothing so far"}`,
    `State now: stage ${status.stage}, SQLite answers ${percent(status.routing.effective_percentage)} of the keys, newest batch ${number(status.last_sequence)} of epoch ${status.epoch}`,
    `Checked: ${validation ? `${validation.passed ? "all well" : "NOT all well"} (${validation.checks.map(({ name, passed }) => `${name} ${passed ? "ok" : "FAILED"}`).join(", ")})` : "not yet"}`,
    "Next: find the cause; then set the flag again by a rollout in small steps.",
  ]
    .filter(Boolean)
    .join("\n");
}

function tellStep(go) {
  const text = copyable("…");
  const place = h("div");
  load(place, async () => text.set(await words()));
  const startAnew = () => {
    Object.assign(incident, { step: 0, kind: "unknown", since: "", words: "", done: [], validation: null });
    go(0);
  };
  return h(
    "div",
    {},
    h("p", {}, "A text for whoever must know, ready to copy:"),
    text.node,
    place,
    h(
      "p",
      {},
      "Write down the cause and the lesson where they stay: as a note of the operation in the ",
      h("a", { href: "#/history" }, "history"),
      ".",
    ),
    h(
      "div",
      { class: "row" },
      button("Back", () => go(3)),
      button("Begin anew", startAnew),
    ),
  );
}

const DRAW = [whatStep, checksStep, backStep, validationStep, tellStep];

export function mount(root) {
  const cleanups = [];
  const end = () => cleanups.splice(0).forEach((of) => of());
  const bar = h("div");
  const place = h("section", { class: "panel", tabindex: "-1" });
  const go = (step, isFirst = false) => {
    end();
    incident.step = step;
    fill(
      bar,
      steps(STEPS.map((name, index) => ({ name, state: index < step ? "done" : index === step ? "now" : "" }))),
    );
    fill(place, h("h2", {}, `${step + 1}. ${STEPS[step]}`), DRAW[step](go, cleanups));
    if (!isFirst) place.focus();
  };
  fill(
    root,
    head(
      "Recovery",
      "Something went wrong. Step by step: what happened, what still works, the way back, whether all is well, what to tell.",
    ),
    bar,
    place,
  );
  go(incident.step, true);
  return end;
}
