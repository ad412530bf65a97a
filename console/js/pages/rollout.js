// A rollout by steps: planned, begun, held, stopped.
import { actor, get, once, post } from "../api.js";
import { confirm } from "../dialog.js";
import { fill, h, onChange } from "../dom.js";
import { number, percent, seconds, time } from "../format.js";
import { every, refresh } from "../live.js";
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
  steps,
  submitButton,
  table,
} from "../widgets.js";

const MARK = { done: "done", running: "now", ended: "bad", waiting: "" };

function planTable(plan) {
  return [
    plan.refusals.map((refusal) => notice("bad", "It would be refused: ", refusal)),
    plan.warnings.map((warning) => notice("warn", warning)),
    h(
      "p",
      {},
      `From ${percent(plan.before_percentage)}; each step takes at least ${seconds(plan.interval_seconds)} and ${number(plan.operations_min)} reads.`,
    ),
    table(
      "The plan",
      [
        { name: "To SQLite", head: true, number: true, cell: (row) => percent(row.percentage) },
        { name: "From", cell: (row) => time(row.begins_at) },
        { name: "Until at least", cell: (row) => time(row.ends_at) },
      ],
      plan.steps,
    ),
  ];
}

function stateFacts(of) {
  if (of.state === "none")
    return h(
      "p",
      { class: "muted" },
      `There was no rollout yet. SQLite answers ${percent(of.effective_percentage)} of the keys.`,
    );
  return [
    steps(of.steps.map((step) => ({ name: percent(step.percentage), state: MARK[step.state] }))),
    facts([
      ["State", badge(of.state)],
      ["Step", `${of.step} of ${of.step_count}: ${percent(of.percentage)}`],
      ["In force", percent(of.effective_percentage)],
      ["Begun", [time(of.started_at), of.actor && ` by ${of.actor}`]],
      ["Ended", of.ended_at && time(of.ended_at)],
      ["Why", of.reason],
      ["Before it", percent(of.before_percentage)],
    ]),
    of.hold && notice("warn", "It waits: ", of.hold),
    of.note && notice("", of.note),
  ];
}

const send = async (what, action, body = {}) => {
  await act(what, () => once(`/v1/rollout/${action}`, { actor: actor(), ...body }));
  refresh();
};
async function abort(reload) {
  const answer = await confirm({
    title: "Abort the rollout",
    phrase: "abort",
    action: "Abort",
    reason: true,
    fields: {
      toZero: check("Switch the flag off, whatever was before", {
        hint: "Else the flag is as it was before the rollout began.",
      }),
    },
    body: [h("p", {}, "Nothing is lost: both stores hold every write.")],
  });
  if (answer) await send("Aborted.", "abort", { reason: answer.reason, ...(answer.toZero && { to_zero: true }) });
  reload();
}
async function promote(reload) {
  const answer = await confirm({
    title: "Go to the next step at once",
    action: "Promote",
    kind: "main",
    reason: true,
    body: [notice("warn", "What this step was meant to show is skipped.")],
  });
  if (answer) await send("The next step is in force.", "promote", { reason: answer.reason });
  reload();
}

function startForm(reload) {
  const list = field("Steps, in percent", { value: "1, 5, 25, 50, 100", autocomplete: "off", required: true });
  const interval = field("Seconds a step, at least", { type: "number", min: "0", step: "any", value: "600" });
  const reads = field("Reads a step, at least", { type: "number", min: "0", value: "1000" });
  const plan = h("div", { "aria-live": "polite" });
  const body = () => ({
    steps: list
      .value()
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(Number),
    interval_seconds: Number(interval.value()),
    operations_min: Number(reads.value()),
  });
  const dryRun = () => post("/v1/rollout/start", { ...body(), dry_run: true });
  const start = async (event) => {
    event.preventDefault();
    const planned = await act("", dryRun);
    if (planned === null) return;
    const answer = await confirm({
      title: "Start the rollout",
      action: "Start",
      kind: "main",
      reason: true,
      body: planTable(planned),
    });
    if (answer) await send("The rollout has begun.", "start", { ...body(), reason: answer.reason });
    reload();
  };
  return h(
    "form",
    { onsubmit: start },
    h("div", { class: "fields" }, list.node, interval.node, reads.node),
    h(
      "div",
      { class: "row" },
      button("Dry run: show the plan", () => load(plan, async () => fill(plan, planTable(await dryRun()))), {
        key: "dry-run",
        needs: "POST /v1/rollout/start",
      }),
      submitButton("Start…", { kind: "main", key: "start", needs: "POST /v1/rollout/start" }),
    ),
    plan,
  );
}

export function mount(root) {
  const state = h("div", { class: "live-data" });
  const row = h("div", { class: "row" });
  const bar = progressBar("Progress of the rollout");
  const drawState = onChange((of) => fill(state, stateFacts(of)));
  const drawActions = onChange(({ word }) =>
    fill(
      row,
      word === "running" &&
        button("Hold", () => send("It stays at this share.", "pause").then(reload), {
          key: "hold",
          needs: "POST /v1/rollout/pause",
        }),
      word === "paused" &&
        button("Resume", () => send("It goes on.", "resume").then(reload), {
          key: "hold",
          needs: "POST /v1/rollout/resume",
        }),
      ["running", "paused"].includes(word) && [
        button("Promote…", () => promote(reload), { key: "promote", needs: "POST /v1/rollout/promote" }),
        button("Abort…", () => abort(reload), { kind: "danger", key: "abort", needs: "POST /v1/rollout/abort" }),
      ],
    ),
  );
  async function reload() {
    try {
      const of = await get("/v1/rollout");
      const { elapsed_seconds: elapsed, operations, percent: done, eta_seconds: eta, ...rest } = of;
      const isGoing = of.state === "running" || of.state === "paused";
      drawState(rest);
      drawActions({ word: of.state });
      bar.node.hidden = !isGoing;
      if (isGoing)
        bar.update({
          percent: done,
          eta,
          what: `step ${of.step}`,
          extra: `${seconds(Math.round(elapsed))} of ${seconds(of.interval_seconds)}, ${number(operations)} of ${number(of.operations_min)} reads`,
        });
    } catch (error) {
      if (error.status) fill(state, notice("bad", error.message));
    }
  }
  fill(
    root,
    head("Rollout", "More of the keys step by step; the guard stops it where SQLite does worse."),
    panel("The rollout", bar.node, state, row),
    panel("A new one", startForm(reload)),
  );
  return every(1000, reload);
}
