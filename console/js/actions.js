// What more than one page does.
import { actor, get, once } from "./api.js";
import { confirm } from "./dialog.js";
import { h } from "./dom.js";
import { percent, plural } from "./format.js";
import { live, refresh } from "./live.js";
import { act, notice } from "./widgets.js";

// Every key to legacy, after a look at what that means. Resolves to whether it was done.
export async function rollBackNow() {
  const check = await act("", () => get("/v1/rollback/check"));
  if (check === null) return false;
  const answer = await confirm({
    title: "Roll back now",
    phrase: "roll back",
    action: "Roll back now",
    reason: true,
    body: [
      h(
        "p",
        {},
        `Every key is answered by LMDB from the next moment on; ${percent(check.percentage)} of the keys move.`,
      ),
      h(
        "p",
        {},
        h("strong", {}, `Acknowledged writes that are lost: ${check.writes_lost}.`),
        " LMDB holds each of them. The flag is switched off in its file, evidence is kept, and reads, writes and both stores are checked afterwards.",
      ),
      !check.can_roll_back && notice("bad", h("p", {}, "It will be refused: ", check.reason)),
      check.batches_behind > 0 &&
        h(
          "p",
          { class: "muted" },
          `LMDB is ${plural(check.batches_behind, "batch", "batches")} behind; the memtable covers them.`,
        ),
    ],
  });
  if (answer === null) return false;
  const done = await act("Rolled back: LMDB answers every key.", () =>
    once("/v1/rollback", { actor: actor(), reason: answer.reason }),
  );
  refresh();
  return done !== null;
}

export async function rearm() {
  const { latched } = live.guard ?? {};
  if (!latched) return;
  const answer = await confirm({
    title: `Let the flags count again after trip ${latched.id}`,
    phrase: `rearm ${latched.id}`,
    action: "Re-arm",
    reason: true,
    body: [
      h("p", {}, `Latched: ${latched.reason}.`),
      notice(
        "warn",
        "Keys go back to SQLite at once where the flags file sends them there. Make sure that the cause is gone.",
      ),
    ],
  });
  if (answer)
    await act("The flags count again.", () =>
      once("/v1/guard/rearm", { trip: latched.id, actor: actor(), reason: answer.reason }),
    );
  refresh();
}

// ---- what waits for a person

// Goes back as the guard proposes, or leaves everything as it is.
export async function decide(isConfirmed) {
  const { proposal } = live.guard ?? {};
  if (!proposal) return;
  const answer = await confirm({
    title: isConfirmed ? "Go back to LMDB, as the guard proposes" : "Dismiss what the guard proposes",
    phrase: isConfirmed ? "go back" : `dismiss ${proposal.id}`,
    action: isConfirmed ? "Go back" : "Dismiss",
    reason: true,
    body: [
      h("p", {}, `${proposal.reason}.`),
      h(
        "p",
        {},
        isConfirmed
          ? "Every key is answered by LMDB from the next moment on. No acknowledged write is lost."
          : "Nothing changes, and the guard begins to gather evidence anew.",
      ),
    ],
  });
  if (answer)
    await act(isConfirmed ? "Rolled back: LMDB answers every key." : "Dismissed.", () =>
      once(`/v1/guard/${isConfirmed ? "confirm" : "dismiss"}`, {
        proposal: proposal.id,
        actor: actor(),
        reason: answer.reason,
      }),
    );
  refresh();
}

export async function leaveSafeMode() {
  const safe = await act("", () => get("/v1/safe-mode"));
  if (!safe?.engaged) return refresh();
  const answer = await confirm({
    title: "Leave safe mode",
    phrase: "take writes",
    action: "Take writes again",
    reason: true,
    body: [
      h("p", {}, safe.engaged.reason),
      h("p", {}, safe.engaged.detail?.choices ?? ""),
      notice(
        "warn",
        "Make sure that what is served is right. The service is checked, and if it is not well safe mode is on again.",
      ),
    ],
  });
  if (answer)
    await act("Writes are taken again.", () =>
      once("/v1/safe-mode/leave", { id: safe.engaged.id, actor: actor(), reason: answer.reason }),
    );
  refresh();
}

// ---- versions of the schema

// What taking the schema from `from` down to `to` means, in sentences.
export function schemaDownsides(versions, from, to) {
  const undone = versions
    .filter(({ version }) => version > to && version <= from)
    .map(({ version, name }) => `${version} ${name}`)
    .reverse();
  return [
    `Undone, newest first: ${undone.join(", ")}.`,
    "What these made goes: their columns, indexes and tables, with the rows of tables of your own.",
    "Queries that use it fail from then on. Records of the collections stay as they are.",
    "A copy of SQLite is taken first. SQLite applies nothing meanwhile; clients go on.",
  ];
}

export async function schemaTo(schema, version) {
  const isDown = version < schema.version;
  const answer = await confirm({
    title: `Schema ${schema.version} → ${version}`,
    action: isDown ? "Take it back" : "Apply",
    kind: isDown ? "danger" : "main",
    phrase: isDown ? `down to ${version}` : "",
    reason: true,
    body: isDown
      ? [
          h(
            "ul",
            {},
            schemaDownsides(schema.versions, schema.version, version).map((line) => h("li", {}, line)),
          ),
        ]
      : [
          h(
            "p",
            {},
            `Applied in order: ${schema.versions
              .filter((of) => of.version > schema.version && of.version <= version)
              .map((of) => `${of.version} ${of.name}`)
              .join(", ")}.`,
          ),
          h("p", {}, "A copy of SQLite is taken before each. Clients go on meanwhile."),
        ],
  });
  if (answer === null) return null;
  return act(`The schema has version ${version}.`, () =>
    once("/v1/schema/to", { version, actor: actor(), reason: answer.reason }),
  );
}
