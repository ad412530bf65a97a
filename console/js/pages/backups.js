// Backups: what there is, made and checked here, and the way back to one.
import { actor, get, once, post, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { bytes, milliseconds, number, plural, seconds, time } from "../format.js";
import { live } from "../live.js";
import { targetPart, uploadButton } from "../target.js";
import { BACKUP, followBackups, restoreBackup, shortId, sourceField, undoRestore } from "../restore.js";
import {
  act,
  badge,
  button,
  check,
  facts,
  field,
  head,
  load,
  message,
  notice,
  panel,
  sizes,
  submitButton,
  table,
} from "../widgets.js";

const state = (row) => [
  row.state === "ok" ? null : badge(row.state),
  row.verified ? badge("verified") : row.state === "ok" && badge("not verified"),
  row.pinned && badge("pinned", ""),
];

function listTable(list, chosen) {
  return table(
    "Backups",
    [
      {
        name: "Backup",
        head: true,
        cell: (row) => h("a", { href: `#/backups/${row.id}`, "data-key": `open-${row.id}` }, row.id),
      },
      { name: "Made", class: "nowrap", cell: (row) => time(row.created_at) },
      { name: "Size", number: true, cell: (row) => bytes(row.bytes) },
      { name: "Records", number: true, cell: (row) => number(row.records) },
      { name: "Why", cell: (row) => row.reason },
      { name: "Note", cell: (row) => row.note },
      { name: "State", cell: (row) => h("span", { class: "row" }, state(row)) },
    ],
    list.backups,
    {
      empty: "There is none yet. Make one before anything is changed.",
      rowClass: (row) => (row.id === chosen ? "chosen" : null),
    },
  );
}

function halves(manifest) {
  return table(
    "What is in it",
    [
      { name: "Half", head: true, cell: (half) => `${half.role} (${half.engine})` },
      { name: "File", cell: (half) => h("code", {}, half.file) },
      { name: "Size", number: true, cell: (half) => bytes(half.bytes) },
      { name: "SHA-256", cell: (half) => h("code", {}, half.sha256) },
      {
        name: "Collections",
        cell: (half) => half.collections.map(({ name, records }) => `${name} (${number(records)})`).join(", "),
      },
    ],
    manifest?.halves ?? [],
    { empty: "Its manifest cannot be read." },
  );
}

function details(row, hasTarget, begin, reload) {
  const change = async (what, path) => {
    if (await act(what, () => post(`${BACKUP(row.id)}/${path}`, { actor: actor() }))) reload();
  };
  const from = sourceField();
  const deleteIt = async () => {
    const answer = await confirm({
      title: `Delete ${row.id}`,
      phrase: `delete ${shortId(row.id)}`,
      action: "Delete",
      body: [h("p", {}, "It cannot be brought back, and with it goes every moment that only it leads to.")],
    });
    if (answer === null || !(await act("Deleted.", () => remove(BACKUP(row.id), { actor: actor() })))) return;
    location.hash = "#/backups";
  };
  return panel(
    h("span", {}, "Backup ", row.id),
    facts([
      ["State", h("span", { class: "row" }, state(row))],
      ["Damage", row.damage],
      ["Problem", row.problem],
      [
        "Made",
        row.created_at && [
          time(row.created_at),
          ` (${seconds(row.age_seconds)} ago), in ${milliseconds(row.duration_ms)}`,
        ],
      ],
      ["Why", row.reason],
      ["Note", row.note],
      ["Size", sizes(row)],
      ["Batch", `${number(row.sequence)} of epoch ${row.epoch}`],
      ["Verified", row.verified_at && time(row.verified_at)],
      ["Checked", row.checked_at && time(row.checked_at)],
    ]),
    row.manifest?.differences?.length > 0 &&
      notice("bad", `The halves differ in ${row.manifest.differences.join(", ")}: verify the stores.`),
    halves(row.manifest),
    h(
      "div",
      { class: "row end" },
      from.node,
      button(
        "Restore…",
        async () => {
          if (await restoreBackup(row.id, from.value() ? { from: from.value() } : {})) begin();
        },
        { kind: "danger", key: "restore", needs: "POST /v1/backups/{id}/restore" },
      ),
    ),
    h(
      "div",
      { class: "row" },
      button(
        "Verify",
        () => begin(() => once(`${BACKUP(row.id)}/verify`, { actor: actor() }), "The check has begun."),
        { key: "verify", needs: "POST /v1/backups/{id}/verify" },
      ),
      button(
        "Verify in full",
        () =>
          begin(() => once(`${BACKUP(row.id)}/verify`, { full: true, actor: actor() }), "The full check has begun."),
        { key: "verify-full", needs: "POST /v1/backups/{id}/verify" },
      ),
      hasTarget && uploadButton(row.id, begin),
      row.pinned
        ? button("Unpin", () => change("Unpinned.", "unpin"), { key: "pin", needs: "POST /v1/backups/{id}/unpin" })
        : button("Pin", () => change("Pinned: it stays until it is unpinned.", "pin"), {
            key: "pin",
            needs: "POST /v1/backups/{id}/pin",
          }),
      button("Delete…", deleteIt, {
        key: "delete",
        disabled: row.pinned,
        name: row.pinned ? "Delete: unpin it first" : null,
        needs: "DELETE /v1/backups/{id}",
      }),
    ),
  );
}

async function prune(reload) {
  const plan = await act("", () => post("/v1/backups/prune", { dry_run: true, actor: actor() }));
  if (plan === null) return;
  const going = plan.backups.filter(({ goes }) => goes).length;
  const listing = table(
    "What would become of each",
    [
      { name: "Backup", head: true, cell: (row) => row.id },
      { name: "", cell: (row) => (row.goes ? badge("goes", "warn") : badge("stays", "good")) },
      { name: "Why", cell: (row) => row.why },
    ],
    plan.backups,
  );
  const answer = await confirm({
    title: "Prune: what would become of each",
    body: [listing, going === 0 && notice("good", "Nothing would go.")],
    phrase: `delete ${going}`,
    action: `Delete ${going}`,
  });
  if (answer === null) return;
  if (await act(`${plural(going, "backup")} deleted.`, () => once("/v1/backups/prune", { actor: actor() }))) reload();
}

function createForm(begin) {
  const note = field("Note", { maxlength: 500, placeholder: "such as: before the release", autocomplete: "off" });
  const compress = check("Compress it");
  const submit = async (event) => {
    event.preventDefault();
    const body = { note: note.value(), actor: actor(), ...(compress.value() && { compress: true }) };
    if (await begin(() => once("/v1/backups", body), "The backup has begun.")) note.input.value = "";
  };
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div",
      { class: "fields" },
      note.node,
      compress.node,
      h("div", {}, submitButton("Make a backup", { kind: "main", key: "create", needs: "POST /v1/backups" })),
    ),
  );
}

const ended = ({ operation, state: how, error, verdict }) => {
  if (how === "failed") message(`${operation}: ${error}`, "bad");
  else if (verdict && !verdict.ok) message(`${operation}: ${verdict.problems.join("; ")}`, "bad");
  else message(`Done: ${operation}.`);
};

export function mount(root, { rest: [chosen] }) {
  const listPlace = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const detailPlace = h("div");
  const target = targetPart((run, what) => begin(run, what));
  const reload = async () => {
    let hasTarget = false;
    await load(listPlace, async () => {
      const list = await get("/v1/backups");
      hasTarget = list.has_target;
      target.draw(list);
      fill(
        listPlace,
        h(
          "p",
          { class: "muted" },
          `${plural(list.count, "backup")}, ${bytes(list.bytes)} in `,
          h("code", {}, list.directory),
        ),
        listTable(list, chosen),
      );
    });
    if (!chosen) return;
    await load(detailPlace, async () =>
      fill(detailPlace, details(await get(BACKUP(chosen)), hasTarget, begin, reload)),
    );
  };
  const follow = followBackups((status) => {
    ended(status);
    reload();
  });
  // Begins what `run` asks for, if anything, and follows it.
  async function begin(run = null, what = "") {
    if (run && (await act(what, run)) === null) return false;
    follow.begun();
    return true;
  }
  const previous = live.status?.previous_generation;
  fill(
    root,
    head("Backups", "Each holds both stores at one batch of the log, and counts only once it was read back."),
    follow.node,
    panel("Make one", createForm(begin)),
    detailPlace,
    panel(
      "All of them",
      listPlace,
      h(
        "div",
        { class: "row" },
        button("Prune: show what would go…", () => prune(reload), { key: "prune", needs: "POST /v1/backups/prune" }),
        previous &&
          button(
            `Undo the restore (back to ${previous})…`,
            async () => {
              if (await undoRestore()) begin();
            },
            { needs: "POST /v1/restore/undo" },
          ),
      ),
    ),
    panel("Off the machine", target.node),
  );
  reload();
  return () => follow.stop();
}
