// The flags: what they say, what is in effect, who changed them, and which store a key gets.
import { actor, get, put } from "../api.js";
import { confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { onEvent } from "../events.js";
import { percent, time } from "../format.js";
import { act, badge, button, check, facts, field, head, load, notice, panel, table } from "../widgets.js";

const UNIFIED = "USE_UNIFIED_DB_SERVICE";
const path = (name) => `/v1/flags/${encodeURIComponent(name)}`;

// A flagd rule that is more than a share.
const rule = (row) =>
  h("details", {}, h("summary", {}, "by a rule"), h("pre", { class: "small" }, JSON.stringify(row.targeting, null, 1)));

function flagsTable(list, change) {
  return table(
    "Flags",
    [
      { name: "Flag", head: true, cell: (row) => h("code", {}, row.name) },
      { name: "Set to", cell: (row) => (row.enabled ? badge("on", "good") : badge("off", "")) },
      {
        name: "Share",
        number: true,
        cell: (row) => (row.targeting ? [`about ${percent(row.percentage)}, `, rule(row)] : percent(row.percentage)),
      },
      { name: "Asked", number: true, cell: (row) => percent(row.desired_percentage) },
      { name: "In effect", number: true, cell: (row) => percent(row.effective_percentage) },
      { name: "Always on, never on", cell: (row) => `${row.allow?.join(", ") || "–"}; ${row.deny?.join(", ") || "–"}` },
      {
        name: "",
        cell: (row) => [row.is_refused && badge("refused"), row.reason && h("div", { class: "small" }, row.reason)],
      },
      {
        name: "",
        cell: (row) =>
          button("Change…", () => change(row), {
            key: row.name,
            name: `Change ${row.name}`,
            needs: "PUT /v1/flags/{name}",
          }),
      },
    ],
    list.flags,
  );
}

async function change(row) {
  const enabled = check("On", { checked: row.enabled });
  const share = field("Share of the keys, in percent", {
    type: "number",
    min: "0",
    max: "100",
    step: "any",
    value: row.percentage,
  });
  const unverified = check("Also to a copy that was not verified", { hint: "It is written down who did that." });
  const answer = await confirm({
    title: `Change ${row.name}`,
    action: "Change it",
    kind: "main",
    fields: { enabled, ...(!row.targeting && { share }), ...(row.name.startsWith(UNIFIED) && { unverified }) },
    reason: true,
    body: [
      h(
        "p",
        {},
        "In force as soon as it is answered. Both stores hold every write: the way back is this dialog again.",
      ),
      row.targeting && notice("", "Its rule stays as it is: a share in its place is for the file."),
      row.allow?.length + row.deny?.length > 0 && notice("", "Its lists stay as they are."),
    ],
  });
  if (answer === null) return;
  await act("The flag is changed.", () =>
    put(path(row.name), {
      enabled: answer.enabled,
      ...(!row.targeting && { percentage: Number(answer.share) }),
      reason: answer.reason,
      actor: actor(),
      ...(answer.unverified && { allow_unverified: true }),
    }),
  );
}

function explanation(of) {
  return [
    h(
      "p",
      {},
      "Store: ",
      of.store
        ? badge(of.store === "unified" ? "unified (SQLite)" : "legacy (LMDB)", "")
        : badge(of.is_on ? "on" : "off", ""),
      of.asked_store && of.store !== of.asked_store && [" ", badge(`the flag asks for ${of.asked_store}`, "warn")],
    ),
    facts([
      ["Entity", h("code", {}, of.entity ?? `base64 ${of.entity_base64}`)],
      ["Bucket", `${of.bucket.toFixed(3)} of 100`],
      ["Share", percent(of.share)],
      ["Why", of.text],
      ["But", of.reason],
    ]),
  ];
}

function explainForm(names) {
  const key = field("Key", {
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    maxlength: 511,
    hint: "The part in {…} counts, if there is one.",
  });
  const collection = field("Collection", { autocomplete: "off", placeholder: "any" });
  const flag = field("Flag", { options: names.map((name) => [name, name]), value: UNIFIED });
  const place = h("div", { "aria-live": "polite" });
  const submit = (event) => {
    event.preventDefault();
    if (key.input.value === "") return;
    const query = new URLSearchParams({
      key: key.input.value,
      ...(collection.value() && { collection: collection.value() }),
    });
    load(place, async () => fill(place, explanation(await get(`${path(flag.value())}/explain?${query}`))));
  };
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div",
      { class: "fields" },
      key.node,
      collection.node,
      flag.node,
      h("div", {}, h("button", { type: "submit", "data-key": "explain" }, "Who gets what")),
    ),
    place,
  );
}

const isOfFlags = ({ kind, record }) =>
  kind.startsWith("rollback") || kind === "rollout" || (kind === "audit" && String(record.action).startsWith("flag"));

function historyTable(entries) {
  return table(
    "Changes",
    [
      { name: "When", class: "nowrap", cell: (row) => time(row.time) },
      { name: "Who", cell: (row) => row.record.actor || "–" },
      {
        name: "What",
        cell: (row) =>
          row.record.detail && typeof row.record.detail === "string"
            ? row.record.detail
            : `${row.kind}: ${[row.record.from, row.record.to].filter(Boolean).join(" → ")} ${row.record.reason ?? ""}`,
      },
      {
        name: "",
        cell: (row) =>
          row.record.operation &&
          h(
            "a",
            { href: `#/history/${row.record.operation}`, "aria-label": `Operation ${row.record.operation}` },
            `#${row.record.operation}`,
          ),
      },
    ],
    entries,
    { empty: "None so far. An edit of the file by hand is not here: nobody knows whose hand it was." },
  );
}

export function mount(root) {
  const place = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const explain = h("div");
  const changes = h("div");
  const reload = () =>
    Promise.all([
      load(place, async () => {
        const list = await get("/v1/flags");
        fill(
          place,
          list.warning && notice("bad", h("strong", {}, "The file as it is now is not in force: "), list.warning),
          facts([
            ["File", h("code", {}, list.file)],
            ["Revision", list.revision],
            ["Read", `${list.load_count} times`],
          ]),
          flagsTable(list, async (row) => {
            await change(row);
            reload();
          }),
        );
        if (explain.childElementCount === 0) fill(explain, explainForm(list.flags.map(({ name }) => name)));
      }),
      load(changes, async () =>
        fill(changes, historyTable((await get("/v1/history?limit=500")).entries.filter(isOfFlags).slice(0, 30))),
      ),
    ]);
  fill(
    root,
    head("Flags", "The file is the truth: a person with only a text editor can roll back with it."),
    panel("All flags", place),
    panel("Who gets what?", explain),
    panel("Changes", changes),
  );
  reload();
  return onEvent(({ event }) => {
    if (event === "flags" || event === "connected") reload();
  });
}
