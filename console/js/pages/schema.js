// Versions of SQLite's schema: up, down, to one of them, checked.
import { schemaTo } from "../actions.js";
import { actor, get, post } from "../api.js";
import { fill, h } from "../dom.js";
import { onEvent } from "../events.js";
import { time } from "../format.js";
import { act, badge, button, checksTable, copyable, facts, head, load, notice, panel, table } from "../widgets.js";

const TO = "POST /v1/schema/to";

function versionsTable(schema, go) {
  return table(
    "Versions",
    [
      { name: "Version", head: true, cell: (row) => `${row.version} ${row.name}` },
      { name: "State", cell: (row) => [badge(row.state), row.version === schema.version && badge("now", "")] },
      { name: "Applied", cell: (row) => (row.applied_at ? time(row.applied_at) : "–") },
      {
        name: "",
        cell: (row) =>
          row.version !== schema.version &&
          button(row.version < schema.version ? "Back to it…" : "Up to it…", () => go(row.version), {
            key: `to-${row.version}`,
            name: `${row.version < schema.version ? "Back" : "Up"} to version ${row.version}`,
            needs: TO,
          }),
      },
    ],
    schema.versions,
    { empty: "There are no files yet." },
  );
}

const outcome = (of) => [
  facts([
    ["Operation", of.operation],
    ["Version", `${of.version_before} → ${of.version}`],
  ]),
  table(
    "Steps",
    [
      { name: "Step", head: true, cell: (row) => row.name },
      { name: "", cell: (row) => badge(row.status) },
      { name: "Copy", cell: (row) => h("code", {}, row.copy || "–") },
    ],
    of.steps ?? [],
    { empty: "No version was changed." },
  ),
  (of.validation?.length ?? 0) > 0 && [h("h3", {}, "Validation"), checksTable(of.validation)],
];

export function mount(root) {
  const place = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const last = h("div", { "aria-live": "polite" });
  const make = copyable("switchback schema create NAME");
  const shown = (of) => {
    if (of) fill(last, panel("What came of it", outcome(of)));
    reload();
  };
  const reload = () =>
    load(place, async () => {
      const schema = await get("/v1/schema");
      const newest = schema.versions.at(-1)?.version ?? 0;
      const go = async (version) => shown(await schemaTo(schema, version));
      const change = (label, key, version, disabled) => button(label, () => go(version), { key, disabled, needs: TO });
      make.set(`switchback schema create NAME --data-dir ${schema.directory.replace(/\/schema$/, "")}`);
      fill(
        place,
        schema.running && notice("warn", `Under way: ${schema.running}`),
        schema.problems.map((problem) => notice("bad", problem)),
        facts([
          ["Version now", h("strong", {}, String(schema.version))],
          ["Files", h("code", {}, schema.directory)],
          ["Safety copies", schema.copies.length > 0 ? schema.copies.join(", ") : "none"],
        ]),
        versionsTable(schema, go),
        h(
          "div",
          { class: "row" },
          change("Up one…", "up", schema.version + 1, schema.version >= newest),
          change("Up to the newest…", "newest", newest, schema.version >= newest),
          change("Down one…", "down", schema.version - 1, schema.version === 0),
          change("Down to 0…", "zero", 0, schema.version === 0),
          button(
            "Validate",
            async () => shown(await act("Checked.", () => post("/v1/schema/validate", { actor: actor() }))),
            { key: "validate", needs: "POST /v1/schema/validate" },
          ),
        ),
      );
    });
  fill(
    root,
    head("Schema", "Versions of SQLite's schema, applied and taken back while clients go on."),
    panel(null, place),
    last,
    panel("A new version", h("p", {}, "A pair of files; the command needs no server:"), make.node),
  );
  reload();
  return onEvent(({ event }) => {
    if (event === "schema" || event === "connected") reload();
  });
}
