// The copy of LMDB into SQLite: begun, slowed, stopped, taken back, compared.
import { actor, get, once, post } from "../api.js";
import { confirm } from "../dialog.js";
import { fill, h, onChange } from "../dom.js";
import { bytes, number, percent, plural, time } from "../format.js";
import { every, live, onLive, refresh } from "../live.js";
import {
  act,
  badge,
  button,
  check,
  facts,
  field,
  head,
  load,
  notice,
  panel,
  progressBar,
  submitButton,
  table,
} from "../widgets.js";

const MIB = 1024 * 1024;
const by = (more = {}) => ({ actor: actor(), ...more });
const can = (word, isPossible, reason) => [
  word,
  isPossible ? badge("yes", "good") : [badge("no", "warn"), reason && ` ${reason}`],
];

function stateFacts(of) {
  return [
    facts([
      ["State", badge(of.state)],
      ["Phase", of.phase],
      ["Fills", of.target],
      ["Collections", of.collections?.join(", ") ?? (of.state === "none" ? null : "all")],
      ["Begun", of.started_at && [time(of.started_at), of.actor && ` by ${of.actor}`]],
      ["Waits for", of.waiting],
      [
        "Verified",
        of.verify.outcome && [
          badge(of.verify.outcome),
          ` ${plural(of.verify.records, "record")}, ${plural(of.verify.differences, "difference")}`,
        ],
      ],
      ["Broke their rule", of.invalid_records > 0 ? plural(of.invalid_records, "record") : null],
      can("The flag may be switched on", of.can_flip, of.can_flip_reason),
      can("It can be taken back", of.can_roll_back, of.can_roll_back_reason),
      can("LMDB can be let go", of.can_complete, of.can_complete_reason),
      ["LMDB is kept at", of.kept_legacy],
    ]),
    of.error && notice("bad", of.error),
    of.note && notice("warn", of.note),
    of.last_result && notice("", of.last_result),
  ];
}

function signalsTable(throttle) {
  return table(
    "What slows the copy down",
    [
      { name: "Signal", head: true, cell: (row) => row.signal.replaceAll("_", " ") },
      { name: "Now", number: true, cell: (row) => number(row.value) },
      { name: "Limit", number: true, cell: (row) => (row.limit === 0 ? "none" : number(row.limit)) },
      { name: "", cell: (row) => (row.is_limiting ? badge("limits", "warn") : badge("free", "good")) },
    ],
    throttle.signals,
    { empty: "Nothing is copied." },
  );
}

async function ask(what, path, { phrase, title, text, action, body = {} }) {
  const answer = await confirm({ title, phrase, action, reason: true, body: text.map((line) => h("p", {}, line)) });
  if (answer) await act(what, () => once(path, by({ ...body, reason: answer.reason })));
  refresh();
}

const start = () => {
  const reverse = check("In reverse: fill LMDB from SQLite", { hint: "After LMDB was let go." });
  const collections = field("Collections", {
    placeholder: "all",
    hint: "Names with commas between them; none are all.",
  });
  const rate = field("At most, in MiB/s", {
    type: "number",
    min: "0",
    step: "any",
    value: "0",
    hint: "0 is as fast as clients' latency allows.",
  });
  const backup = check("A backup first", { checked: true });
  const go = async () => {
    const answer = await confirm({
      title: "Start the migration",
      action: "Start",
      kind: "main",
      fields: { reverse, collections, rate, backup },
      reason: true,
      body: [
        h(
          "p",
          {},
          "Every record is copied while clients go on, then compared with its source. The flag stays as it is.",
        ),
      ],
    });
    if (answer === null) return;
    const names = answer.collections
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean);
    await act("The migration has begun.", () =>
      once(
        "/v1/migration/start",
        by({
          reason: answer.reason,
          reverse: answer.reverse,
          ...(names.length > 0 && { collections: names }),
          settings: { bytes_per_second: Math.round(Number(answer.rate) * MIB), is_backed_up_before: answer.backup },
        }),
      ),
    );
    refresh();
  };
  return button("Start…", go, { kind: "main", key: "start", needs: "POST /v1/migration/start" });
};
const simple = (label, path, what) =>
  button(
    label,
    async () => {
      await act(what, () => once(path, by()));
      refresh();
    },
    { key: path, needs: `POST ${path}` },
  );
const cancel = () =>
  button(
    "Cancel…",
    () =>
      ask("Cancelled.", "/v1/migration/cancel", {
        title: "Cancel the migration",
        phrase: "cancel",
        action: "Cancel the migration",
        text: ["The copy stops and what was copied counts for nothing. The source is not touched."],
      }),
    { kind: "danger", key: "cancel", needs: "POST /v1/migration/cancel" },
  );
const abandon = () =>
  button(
    "Take the copy back…",
    () =>
      ask("The copy is being taken back.", "/v1/migration/abandon", {
        title: "Take the copy back",
        phrase: "abandon",
        action: "Empty SQLite",
        text: ["SQLite is emptied and left. LMDB holds everything and answers as before. Clients go on."],
      }),
    { kind: "danger", key: "abandon", needs: "POST /v1/migration/abandon" },
  );
const complete = () =>
  button(
    "Let LMDB go…",
    () =>
      ask("LMDB is being let go.", "/v1/migration/complete", {
        title: "Let LMDB go",
        phrase: "complete",
        action: "Let LMDB go",
        body: { confirm: true },
        text: [
          "From then on LMDB gets no more writes, and the flag has no way back: that is a migration in reverse. A backup is made first; the environment is kept.",
        ],
      }),
    { kind: "danger", key: "complete", needs: "POST /v1/migration/complete" },
  );

function actions(of) {
  const isGoing = of.state === "running" || of.state === "paused";
  return [
    !isGoing && of.state !== "completed" && of.state !== "rolling-back" && start(),
    of.state === "completed" && start(),
    of.state === "running" && simple("Pause", "/v1/migration/pause", "Paused."),
    of.state === "paused" && simple("Resume", "/v1/migration/resume", "It goes on."),
    isGoing && cancel(),
    of.can_roll_back && !isGoing && abandon(),
    of.can_complete && complete(),
  ];
}

const pace = (of) =>
  `${number(of.records_done)} of ${number(of.records_total)} records, ${number(Math.round(of.records_per_second))}/s, ` +
  `pace ${percent(of.throttle.pace * 100)}`;

function throttleForm() {
  const rate = field("Copy at most, in MiB/s", {
    type: "number",
    min: "0",
    step: "any",
    value: "0",
    hint: "0: no limit of its own.",
  });
  const ratio = field("Clients' p99 at most this much over before", {
    type: "number",
    min: "0",
    step: "any",
    hint: "0: not looked at.",
  });
  const submit = async (event) => {
    event.preventDefault();
    const settings = { bytes_per_second: Math.round(Number(rate.value()) * MIB), p99_ratio_max: Number(ratio.value()) };
    await act("In force.", () => post("/v1/migration/settings", by({ settings })));
  };
  const set = onChange((settings) => {
    rate.input.value = Math.round((settings.bytes_per_second / MIB) * 1000) / 1000;
    ratio.input.value = settings.p99_ratio_max;
  });
  return {
    set,
    node: h(
      "form",
      { onsubmit: submit },
      h(
        "div",
        { class: "fields" },
        rate.node,
        ratio.node,
        h("div", {}, submitButton("Set the throttle", { needs: "POST /v1/migration/settings" })),
      ),
    ),
  };
}

// ---- verify

const START_VERIFY = "POST /v1/verify/start";

function verifyFacts(of) {
  return [
    facts([
      ["State", badge(of.state)],
      ["Begun", of.started_at && time(of.started_at)],
      ["Ended", of.ended_at && time(of.ended_at)],
      ["Passes", of.passes > 0 ? `${of.passes}, the last ${of.last_pass}` : null],
      [
        "Compared",
        of.records_compared !== undefined
          ? `${number(of.records_compared)} of ${plural(of.records_total, "record")}, ${bytes(of.bytes_compared)}`
          : null,
      ],
      [
        "Missing, extra, different in SQLite",
        of.missing !== undefined ? `${number(of.missing)}, ${number(of.extra)}, ${number(of.differs)}` : null,
      ],
      ["Repaired", of.repaired > 0 ? number(of.repaired) : null],
      ["Differ still", of.differences !== undefined ? number(of.differences) : null],
      ["Waits for", of.waiting],
    ]),
    of.error && notice("bad", of.error),
  ];
}

const digest = (of) => (of ? [bytes(of.bytes), h("div", {}, h("code", {}, of.xxh3_128))] : badge("absent", ""));

function differences(place) {
  return async (path = "/v1/verify/differences?limit=50") =>
    load(place, async () => {
      const page = await get(path);
      fill(
        place,
        table(
          "Records that differ",
          [
            { name: "Collection", cell: (row) => row.collection },
            {
              name: "Key",
              head: true,
              class: "key",
              cell: (row) => h("code", {}, row.key ?? `base64 ${row.key_base64}`),
            },
            { name: "In SQLite it", cell: (row) => badge(row.kind, "bad") },
            { name: "LMDB", cell: (row) => digest(row.legacy) },
            { name: "SQLite", cell: (row) => digest(row.unified) },
            { name: "Batch", number: true, cell: (row) => number(row.sequence) },
          ],
          page.differences,
          { empty: "None was found." },
        ),
        page.next && button("Next page", () => differences(place)(page.next)),
      );
    });
}

async function repair(from) {
  const other = from === "legacy" ? "SQLite" : "LMDB";
  const answer = await confirm({
    title: `Repair from ${from}`,
    phrase: `repair from ${from}`,
    action: "Repair",
    body: [
      h(
        "p",
        {},
        `Records that differ are written once more as ${from} holds them; those that it does not have are deleted. ${other}'s version of them is gone then.`,
      ),
      notice("warn", "Decide which store is right first."),
    ],
  });
  if (answer) await act("The repair has begun.", () => once("/v1/verify/start", by({ repair: from })));
}

function verifyPart() {
  const place = h("div");
  const bar = progressBar("Progress of the verify");
  const row = h("div", { class: "row" });
  const list = h("div");
  const showDifferences = differences(list);
  const draw = onChange((of) => {
    fill(place, verifyFacts(of));
    const isRunning = of.state === "running";
    bar.node.hidden = !isRunning;
    if (isRunning) bar.update({ percent: of.percent, eta: of.eta_seconds, extra: `${bytes(of.bytes_per_second)}/s` });
    fill(
      row,
      isRunning
        ? button("Stop it", () => act("It ends after the window at hand.", () => post("/v1/verify/cancel", by())), {
            key: "verify",
            needs: "POST /v1/verify/cancel",
          })
        : button("Compare both stores", () => act("The verify has begun.", () => once("/v1/verify/start", by())), {
            key: "verify",
            needs: START_VERIFY,
          }),
      button("Show what differs", () => showDifferences(), { key: "differences" }),
      of.differences > 0 &&
        !isRunning && [
          button("Repair from LMDB…", () => repair("legacy"), { needs: START_VERIFY }),
          button("Repair from SQLite…", () => repair("unified"), { needs: START_VERIFY }),
        ],
    );
  });
  const stop = every(1000, async () => {
    try {
      draw(await get("/v1/verify"));
    } catch (error) {
      if (error.status) fill(place, notice("bad", error.message));
    }
  });
  return { stop, node: panel("Are both stores the same?", bar.node, place, row, list) };
}

export function mount(root) {
  const state = h("div");
  const row = h("div", { class: "row" });
  const signals = h("div");
  const bar = progressBar("Progress of the migration");
  const throttle = throttleForm();
  const verify = verifyPart();
  const drawState = onChange((of) => fill(state, stateFacts(of)));
  const drawActions = onChange((of) => fill(row, actions(of)));
  const update = () => {
    const of = live.status?.migration;
    if (!of) return;
    const {
      state: word,
      phase,
      target,
      collections,
      started_at,
      actor: who,
      waiting,
      verify: outcome,
      invalid_records,
      error,
      note,
      last_result,
      kept_legacy,
    } = of;
    const answers = Object.fromEntries(
      ["can_flip", "can_roll_back", "can_complete"].flatMap((name) => [
        [name, of[name]],
        [`${name}_reason`, of[`${name}_reason`]],
      ]),
    );
    drawState({
      state: word,
      phase,
      target,
      collections,
      started_at,
      actor: who,
      waiting,
      verify: outcome,
      invalid_records,
      error,
      note,
      last_result,
      kept_legacy,
      ...answers,
    });
    drawActions({ state: word, can_roll_back: of.can_roll_back, can_complete: of.can_complete });
    const isBack = word === "rolling-back" && of.rollback !== null;
    const isGoing = isBack || ["running", "paused", "completing"].includes(word);
    bar.node.hidden = !isGoing;
    if (isBack) bar.update({ percent: of.rollback.percent, what: of.rollback.step, eta: of.rollback.eta_seconds });
    else if (isGoing) bar.update({ percent: of.percent, what: phase, eta: of.eta_seconds, extra: pace(of) });
    fill(signals, signalsTable(of.throttle));
    throttle.set(of.settings);
  };
  fill(
    root,
    head("Migration", "LMDB is copied into SQLite while clients go on; a flag waits until every record was compared."),
    panel("The migration", bar.node, h("div", { class: "live-data" }, state), row),
    h("div", { class: "grid wide" }, panel("Throttle", throttle.node, signals), verify.node),
  );
  update();
  const end = onLive(update);
  return () => {
    end();
    verify.stop();
  };
}
