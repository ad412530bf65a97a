// Going back to a backup, to a moment, or from a restore: the plan first, then the word, then progress.
import { actor, get, once, post } from "./api.js";
import { confirm } from "./dialog.js";
import { h } from "./dom.js";
import { onEvent } from "./events.js";
import { bytes, number, time } from "./format.js";
import { act, button, check, facts, field, notice, progressBar } from "./widgets.js";

export const BACKUP = (id) => `/v1/backups/${encodeURIComponent(id)}`;
// The part of an ID that tells it from others, for typing.
export const shortId = (id) => id.split("-").at(-1);

export function planOf(plan) {
  const isUndo = !plan.id;
  return [
    facts(
      isUndo
        ? [["From", "the stores as they were before the restore"]]
        : [
            ["From", h("code", {}, plan.id)],
            ["Made", plan.created_at && time(plan.created_at)],
            ["Goes to batch", `${number(plan.until || plan.sequence)} of epoch ${plan.epoch}`],
            ["Now at batch", `${number(plan.sequence_now)} of epoch ${plan.epoch_now}`],
            ["Space", `${bytes(plan.bytes_needed)} of ${bytes(plan.bytes_free)} free`],
          ],
    ),
    !isUndo &&
      notice(
        plan.batches_lost > 0 ? "bad" : "good",
        h("strong", {}, `Batches that are not there afterwards: ${number(plan.batches_lost)}. `),
        plan.batches_lost > 0
          ? "A safety backup of now is made first, and “undo” brings this state back."
          : "Nothing is lost.",
      ),
    plan.warnings.map((warning) => notice("warn", warning)),
    h(
      "details",
      {},
      h("summary", {}, "Steps"),
      h(
        "ol",
        {},
        plan.steps.map((step) => h("li", {}, step)),
      ),
    ),
  ];
}

// {path, title, phrase, options}: shows the plan, and begins when the phrase was typed. Resolves to whether it began.
export async function restore({ path, title, phrase, options = {} }) {
  const plan = await act("", () => post(path, { ...options, dry_run: true }));
  if (plan === null) return false;
  const answer = await confirm({
    title,
    phrase,
    action: "Restore",
    reason: true,
    body: planOf(plan),
    fields: {
      isUnsafe: check("Without a safety backup", { hint: "Only when none can be made because a store is broken." }),
    },
  });
  if (answer === null) return false;
  return (
    (await act("The restore has begun.", () =>
      once(path, {
        ...options,
        confirm: true,
        actor: actor(),
        reason: answer.reason,
        ...(answer.isUnsafe && { no_safety_backup: true }),
      }),
    )) !== null
  );
}

export const restoreBackup = (id, options = {}) =>
  restore({ path: `${BACKUP(id)}/restore`, title: `Restore ${id}`, phrase: `restore ${shortId(id)}`, options });
export const undoRestore = () => restore({ path: "/v1/restore/undo", title: "Undo the restore", phrase: "undo" });

// A choice of where to restore from, for the forms that offer it.
export const sourceField = () =>
  field("Both stores from", {
    value: "",
    options: [
      ["", "the backup's own halves"],
      ["legacy", "its LMDB half"],
      ["unified", "its SQLite half"],
    ],
    hint: "One half when the other is damaged.",
  });

const POLL_MS = 400;
const describe = (of) => [of.operation, of.id, of.stage].filter(Boolean).join(" · ");

// Follows the one operation on backups that may run. onEnd(status) is called at the end of each.
export function followBackups(onEnd) {
  const bar = progressBar("Progress of the backup or restore");
  const cancel = button(
    "Cancel",
    () => act("It ends at the next safe point.", () => post("/v1/backups/cancel", { actor: actor() })),
    { needs: "POST /v1/backups/cancel" },
  );
  const node = h(
    "div",
    { hidden: true, class: "panel", role: "group", "aria-label": "Backup or restore at hand" },
    bar.node,
    h("div", { class: "row" }, cancel),
  );
  let timer = null;
  let isRunning = false;
  let isOver = false;
  async function look() {
    clearTimeout(timer);
    if (isOver) return;
    let status = null;
    try {
      status = await get("/v1/backups/status");
    } catch {
      /* asked again below */
    }
    if (status) {
      const was = isRunning;
      isRunning = status.state === "running";
      node.hidden = !isRunning;
      if (isRunning)
        bar.update({
          percent: status.percent,
          what: describe(status),
          eta: status.eta_seconds,
          extra: `${bytes(status.bytes_done)} of ${bytes(status.bytes_total)}`,
        });
      if (was && !isRunning) onEnd(status);
    }
    if (isRunning) timer = setTimeout(look, POLL_MS);
  }
  const end = onEvent(({ event, data }) => {
    if (
      event === "connected" ||
      (event === "operation" && (data.kind === "backup" || data.kind === "restore")) ||
      (!isRunning && (event === "backup" || event === "restore") && data.state === "running")
    )
      look();
  });
  look();
  return {
    node,
    // After something was begun here: its end is told even when it was over before the first look.
    begun() {
      isRunning = true;
      look();
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
      end();
    },
  };
}
