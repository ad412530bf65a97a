// Every way back, what each costs, and the one at hand.
import { rearm, rollBackNow, schemaDownsides, schemaTo } from "../actions.js";
import { actor, get, post } from "../api.js";
import { fill, h } from "../dom.js";
import { bytes, number, percent, plural, seconds } from "../format.js";
import { live } from "../live.js";
import { restoreBackup, undoRestore } from "../restore.js";
import { followRollback } from "../rollback_view.js";
import { act, badge, button, copyable, facts, head, load, notice, panel, table } from "../widgets.js";

function flagPart(check, after) {
  return [
    h(
      "p",
      {},
      "Every key goes to LMDB within milliseconds. It loses nothing: LMDB holds every acknowledged write. The flag is switched off in its file, evidence is kept, the service is checked afterwards.",
    ),
    facts([
      ["Keys that move", percent(check.percentage)],
      ["Writes that are lost", String(check.writes_lost)],
      ["LMDB behind the log", plural(check.batches_behind, "batch", "batches")],
      ["Possible now", check.can_roll_back ? badge("yes", "good") : [badge("no", "bad"), ` ${check.reason}`]],
    ]),
    check.latched &&
      notice(
        "bad",
        h(
          "p",
          {},
          h("strong", {}, `Latched by trip ${check.latched.id}: `),
          `${check.latched.reason}. Every key stays on LMDB whatever the flags say.`,
        ),
        button("Re-arm…", rearm, { needs: "POST /v1/guard/rearm" }),
      ),
    h(
      "div",
      { class: "row" },
      button(
        "Roll back now…",
        async () => {
          if (await rollBackNow()) after();
        },
        { kind: "danger", key: "flag", needs: "POST /v1/rollback" },
      ),
    ),
  ];
}

function schemaPart(schema, reload) {
  const lower = [0, ...schema.versions.map(({ version }) => version)]
    .filter((version) => version < schema.version)
    .reverse();
  return [
    facts([
      ["Version now", h("strong", {}, String(schema.version))],
      ["Files", h("code", {}, schema.directory)],
      ["Under way", schema.running],
    ]),
    schema.problems.map((problem) => notice("warn", problem)),
    table(
      "Versions that the schema can go back to",
      [
        {
          name: "Back to",
          head: true,
          cell: (to) =>
            to === 0
              ? "0 (none applied)"
              : `${to} ${schema.versions.find(({ version }) => version === to)?.name ?? ""}`,
        },
        {
          name: "What that means",
          cell: (to) =>
            h(
              "ul",
              {},
              schemaDownsides(schema.versions, schema.version, to).map((line) => h("li", {}, line)),
            ),
        },
        {
          name: "",
          cell: (to) =>
            button(
              "Go back…",
              async () => {
                if (await schemaTo(schema, to)) reload();
              },
              { key: `to-${to}`, name: `Take the schema back to version ${to}`, needs: "POST /v1/schema/to" },
            ),
        },
      ],
      lower,
      { empty: "No version is applied: there is nothing to go back to." },
    ),
  ];
}

function restorePart(list, previous) {
  const newest = list.backups.filter(({ state, verified }) => state === "ok" && verified).slice(0, 5);
  return [
    notice(
      "warn",
      "Everything written since is not there afterwards, in both stores. Roll back by the flag first: it loses nothing and often is enough.",
    ),
    table(
      "The newest verified backups",
      [
        { name: "Backup", head: true, cell: (row) => h("a", { href: `#/backups/${row.id}` }, row.id) },
        { name: "Age", number: true, cell: (row) => seconds(row.age_seconds) },
        { name: "Batch", number: true, cell: (row) => number(row.sequence) },
        { name: "Size", number: true, cell: (row) => bytes(row.bytes) },
        { name: "Note", cell: (row) => row.note },
        {
          name: "",
          cell: (row) =>
            button(
              "Restore…",
              async () => {
                if (await restoreBackup(row.id)) location.hash = "#/backups";
              },
              { key: row.id, name: `Restore ${row.id}`, needs: "POST /v1/backups/{id}/restore" },
            ),
        },
      ],
      newest,
      { empty: "There is no verified backup." },
    ),
    h(
      "div",
      { class: "row" },
      h("a", { href: "#/recovery" }, "To a moment, step by step"),
      previous &&
        button(
          `Undo the restore (back to ${previous})…`,
          async () => {
            if (await undoRestore()) location.hash = "#/backups";
          },
          { needs: "POST /v1/restore/undo" },
        ),
    ),
  ];
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function mount(root) {
  const flag = h("div");
  const schema = h("div");
  const backups = h("div");
  const full = copyable("…");
  const rollback = followRollback(({ check }) =>
    fill(
      flag,
      flagPart(check, () => rollback.look()),
    ),
  );
  const loadSchema = () => load(schema, async () => fill(schema, schemaPart(await get("/v1/schema"), loadSchema)));
  const validate = async () => {
    await act("The service was checked.", () => post("/v1/rollback/validate", { actor: actor() }));
    rollback.look();
  };
  fill(
    root,
    head(
      "Rollback manager",
      "From the way back that costs nothing to the one that costs most. Take the first that helps.",
    ),
    h(
      "div",
      { class: "grid wide" },
      panel("1. The flag: milliseconds, nothing lost", flag),
      panel(
        "The rollback at hand, or the newest",
        rollback.node,
        h("div", { class: "row" }, button("Check the service now", validate, { needs: "POST /v1/rollback/validate" })),
      ),
    ),
    panel("2. The schema: what versions of it made goes, records stay", schema),
    panel("3. A backup: what was written since goes", backups),
    panel(
      "4. Full: leave a plain LMDB environment and nothing of Switchback",
      notice(
        "bad",
        h(
          "p",
          {},
          h("strong", {}, "Only with the server stopped. "),
          "It applies what the log still holds, compares both stores record by record, takes every trace out of LMDB, looks at it again, and only then removes SQLite, the log and the journal. Killed at any step: call it again.",
        ),
      ),
      h("p", {}, "Stop the server, then, on its machine:"),
      full.node,
      h(
        "p",
        { class: "muted" },
        "It asks before it begins; exit code 3 says that the stores differ. Backups stay unless --remove-backups is given.",
      ),
    ),
  );
  loadSchema();
  load(backups, async () => {
    const [list, status] = await Promise.all([get("/v1/backups"), get("/v1/status")]);
    fill(backups, restorePart(list, status.previous_generation));
    full.set(`switchback rollback full --data-dir ${quoted(status.data_dir)} --export /path/with/space`);
  });
  if (live.status)
    full.set(`switchback rollback full --data-dir ${quoted(live.status.data_dir)} --export /path/with/space`);
  return () => rollback.stop();
}
