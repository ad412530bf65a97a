// Who did what, when, and how it ended; what people know besides; evidence.
import { actor, download, get, once } from "../api.js";
import { fill, h } from "../dom.js";
import { onEvent } from "../events.js";
import { bytes, number, seconds, time } from "../format.js";
import { evidenceButton } from "../rollback_view.js";
import {
  act,
  badge,
  button,
  checksTable,
  facts,
  field,
  head,
  load,
  notice,
  panel,
  submitButton,
  table,
} from "../widgets.js";

const KINDS = [
  "",
  "rollback-flag",
  "rollback-guard",
  "rollout",
  "migration",
  "migration-rollback",
  "migration-complete",
  "verify",
  "backup",
  "schema",
  "audit",
  "note",
];

const what = ({ kind, record }) => {
  if (kind === "note") return [badge(record.note, ""), " ", record.text];
  if (kind === "audit")
    return `${record.action}${typeof record.detail === "string" && record.detail ? `: ${record.detail}` : ""}`;
  const way = [record.from, record.to].filter(Boolean).join(" → ");
  return [
    `${kind}${record.action ? ` ${record.action}` : ""}${way ? `: ${way}` : ""}`,
    record.reason && h("div", { class: "small muted" }, record.reason),
    record.errors?.length > 0 && h("div", { class: "small" }, record.errors.join("; ")),
  ];
};
const link = (id) =>
  id && h("a", { href: `#/history/${id}`, "data-key": `operation-${id}`, "aria-label": `Operation ${id}` }, `#${id}`);

function entriesTable(entries) {
  return table(
    "History",
    [
      { name: "When", class: "nowrap", cell: (row) => time(row.time) },
      { name: "What", head: true, cell: what },
      { name: "Who", cell: (row) => row.record.actor || "–" },
      { name: "How it ended", cell: (row) => (row.record.status ? badge(row.record.status) : "–") },
      { name: "Took", number: true, cell: (row) => (row.record.metrics ? seconds(row.record.metrics.seconds) : "–") },
      { name: "Operation", cell: (row) => link(row.record.operation) ?? "–" },
    ],
    entries,
    { empty: "Nothing of that kind happened yet." },
  );
}

function noteForm(id, reload) {
  const text = field("What people know", { type: "textarea", maxlength: 16_000, required: true });
  const kind = field("It is", {
    options: [
      ["note", "a note"],
      ["root-cause", "the cause"],
      ["lesson", "a lesson"],
    ],
    value: "note",
  });
  const submit = async (event) => {
    event.preventDefault();
    if (
      text.value() &&
      (await act("Noted.", () =>
        once(`/v1/history/${id}/notes`, { text: text.value(), kind: kind.value(), actor: actor() }),
      ))
    )
      reload();
  };
  return h(
    "form",
    { onsubmit: submit },
    text.node,
    h(
      "div",
      { class: "fields" },
      kind.node,
      h("div", {}, submitButton("Add the note", { needs: "POST /v1/history/{id}/notes" })),
    ),
  );
}

function operationPart({ operation, entries }, id, reload) {
  const validation = operation.detail?.validation;
  const checks = Array.isArray(validation) ? validation : validation?.checks; // of a schema, of a rollback
  return [
    facts([
      ["Kind", `${operation.kind} ${operation.action ?? ""}`],
      ["State", badge(operation.status || operation.state)],
      ["By", operation.actor],
      ["Why", operation.reason],
      ["Begun", time(operation.started_at)],
      ["Ended", operation.ended_at && time(operation.ended_at)],
      ["From", operation.from],
      ["To", operation.to],
      ["Records", operation.metrics?.records !== null ? number(operation.metrics?.records) : null],
    ]),
    operation.errors?.map((error) => notice("bad", error)),
    table(
      "Steps",
      [
        { name: "Step", head: true, cell: (row) => row.name },
        { name: "", cell: (row) => badge(row.status) },
        { name: "Ended", cell: (row) => (row.ended_at ? time(row.ended_at) : "–") },
        { name: "What", cell: (row) => row.detail },
      ],
      operation.steps ?? [],
      { empty: "It has no steps of its own." },
    ),
    checks && [h("h3", {}, "Validation"), checksTable(checks)],
    h("h3", {}, "Notes"),
    table(
      "Notes",
      [
        { name: "When", cell: (row) => time(row.time) },
        { name: "Who", cell: (row) => row.record.actor },
        { name: "Kind", cell: (row) => row.record.note },
        { name: "Text", cell: (row) => row.record.text },
      ],
      entries.filter(({ kind }) => kind === "note"),
    ),
    noteForm(id, reload),
    operation.evidence && h("div", { class: "row" }, evidenceButton(operation.evidence)),
  ];
}

function intact(place) {
  const head_ = field("The newest hash that you kept elsewhere", {
    autocomplete: "off",
    hint: "Without it an end that was cut off is not seen.",
    class: "mono",
  });
  const look = () =>
    load(place, async () => {
      const of = await get(`/v1/history/verify${head_.value() ? `?head=${encodeURIComponent(head_.value())}` : ""}`);
      const isFound = !head_.value() || of.expected_head_at !== null;
      fill(
        place,
        h(
          "p",
          {},
          of.is_intact && isFound ? badge("intact") : badge("not as it was written", "bad"),
          ` ${number(of.entries)} entries`,
        ),
        of.problem && notice("bad", of.problem),
        facts([["Newest hash", h("code", {}, of.head)]]),
      );
    });
  return [
    h("div", { class: "fields" }, head_.node, h("div", {}, button("Check every entry", look, { key: "intact" }))),
    place,
  ];
}

function evidenceTable({ evidence }) {
  return table(
    "Evidence",
    [
      { name: "Kept at a rollback", head: true, cell: (row) => row.name },
      { name: "Size", number: true, cell: (row) => bytes(row.bytes) },
      { name: "", cell: (row) => evidenceButton(row.name) },
    ],
    evidence,
    { empty: "Nothing was rolled back so far." },
  );
}

export function mount(root, { rest: [id] }) {
  const place = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const operation = h("div");
  const evidence = h("div");
  const kind = field("Kind", { options: KINDS.map((of) => [of, of || "all"]), value: "" });
  let entries = [];
  const loadPage = (before = null) =>
    load(place, async () => {
      const page = await get(
        `/v1/history?${new URLSearchParams({ limit: "50", ...(kind.value() && { kind: kind.value() }), ...(before !== null && { before: String(before) }) })}`,
      );
      entries = before === null ? page.entries : [...entries, ...page.entries];
      fill(
        place,
        entriesTable(entries),
        page.next_before !== null && button("Older ones", () => loadPage(page.next_before), { key: "older" }),
      );
    });
  const loadOperation = () =>
    load(operation, async () =>
      fill(operation, operationPart(await get(`/v1/history/${encodeURIComponent(id)}`), id, reload)),
    );
  const reload = () =>
    Promise.all([
      loadPage(),
      id && loadOperation(),
      load(evidence, async () => fill(evidence, evidenceTable(await get("/v1/evidence")))),
    ]);
  kind.input.addEventListener("change", () => loadPage());
  const save = (format, ending) =>
    button(
      `Save as ${format}`,
      () =>
        act("", () =>
          download(`/v1/history?limit=1000&format=${format.toLowerCase()}`, `switchback-history.${ending}`),
        ),
      { key: format },
    );
  fill(
    root,
    head("History", "Entries are only ever added, and each carries a hash over itself and the one before."),
    id && panel(`Operation ${id}`, operation),
    panel(
      "What was done, the newest first",
      h("div", { class: "row end" }, kind.node, save("Markdown", "md"), save("CSV", "csv")),
      place,
    ),
    h(
      "div",
      { class: "grid wide" },
      panel("Evidence", evidence),
      panel("Is it as it was written?", intact(h("div", { "aria-live": "polite" }))),
    ),
  );
  reload();
  // A note that is being written is not drawn over.
  return onEvent(({ event }) => {
    if (event === "operation" && !root.querySelector("textarea:focus") && entries.length <= 50) loadPage();
  });
}
