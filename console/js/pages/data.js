// Collections and their records; one record as each store holds it.
import { get, Problem, request } from "../api.js";
import { fill, h } from "../dom.js";
import { bytes, number } from "../format.js";
import { live } from "../live.js";
import { badge, button, facts, field, head, load, notice, panel, table } from "../widgets.js";

const SHOWN_BYTES_MAX = 16_384;
const PAGE = 100;

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
// Keys may hold any bytes: each stands in the path by itself.
const encoded = (key) => Array.from(key, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const records = (collection) => `/v1/collections/${encodeURIComponent(collection)}/records`;

function textOf(octets) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(octets);
    return { form: "text", text };
  } catch {
    const lines = [];
    for (let at = 0; at < octets.length; at += 16) {
      const line = octets.subarray(at, at + 16);
      const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      lines.push(
        `${at.toString(16).padStart(8, "0")}  ${hex.padEnd(48)} ${Array.from(line, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("")}`,
      );
    }
    return { form: "bytes in hexadecimal", text: lines.join("\n") };
  }
}

function shown(octets) {
  const { form, text } = textOf(octets.subarray(0, SHOWN_BYTES_MAX));
  let pretty = text;
  if (octets.length <= SHOWN_BYTES_MAX)
    try {
      pretty = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      /* no JSON: as it is */
    }
  return [
    h(
      "p",
      { class: "small muted" },
      `${bytes(octets.length)}, shown as ${pretty === text ? form : "JSON"}${octets.length > SHOWN_BYTES_MAX ? `, the first ${bytes(SHOWN_BYTES_MAX)}` : ""}`,
    ),
    h("pre", { tabindex: "0", "aria-label": "The value" }, pretty),
  ];
}

// {octets, tag} of one store's copy, null when it has none.
async function copyOf(collection, key, role) {
  const response = await request("GET", `${records(collection)}/${encoded(key)}?role=${role}`);
  if (response.status === 404) {
    const problem = await response.json().catch(() => ({}));
    if (String(problem.type).endsWith(":no-route")) throw new Problem(404, problem);
    return null;
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return { octets: new Uint8Array(await response.arrayBuffer()), tag: response.headers.get("etag") };
}

const isSame = (left, right) =>
  left === null || right === null
    ? left === right
    : left.octets.length === right.octets.length && left.octets.every((byte, at) => byte === right.octets[at]);

async function recordPart(collection, key, name) {
  const settled = await Promise.allSettled(["legacy", "unified"].map((role) => copyOf(collection, key, role)));
  const [legacy, unified] = settled.map(({ value }) => value ?? null);
  const isKnown = settled.every(({ status }) => status === "fulfilled");
  const one = (title, result) =>
    h(
      "div",
      { class: "panel" },
      h("h3", {}, title),
      result.status === "rejected"
        ? notice("bad", result.reason.message)
        : result.value === null
          ? h("p", {}, badge("absent", "warn"))
          : [shown(result.value.octets), facts([["ETag", result.value.tag && h("code", {}, result.value.tag)]])],
    );
  return panel(
    h("span", {}, "Record ", h("code", {}, name)),
    h(
      "p",
      {},
      isKnown
        ? isSame(legacy, unified)
          ? badge("both stores hold the same", "good")
          : badge("the stores differ, or it was written in between", "bad")
        : badge("cannot be compared", "warn"),
    ),
    h("div", { class: "grid wide" }, one("LMDB (legacy)", settled[0]), one("SQLite (unified)", settled[1])),
    h("p", {}, h("a", { href: "#/flags" }, "Which store answers for it?")),
  );
}

export function mount(root, { query }) {
  const collections = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const list = h("div");
  const record = h("div", { "aria-live": "polite" });
  const collection = field("Collection", {
    value: query.get("collection") ?? "default",
    autocomplete: "off",
    required: true,
  });
  const prefix = field("Keys that begin with", {
    value: query.get("prefix") ?? "",
    autocomplete: "off",
    spellcheck: "false",
  });
  const exact = field("One key", { autocomplete: "off", spellcheck: "false" });
  const showRecord = (key, name) =>
    load(record, async () => {
      fill(record, await recordPart(collection.value(), key, name));
      record.scrollIntoView({ block: "nearest" });
    });
  const browse = (
    path = `${records(collection.value())}?${new URLSearchParams({ prefix: prefix.input.value, limit: String(PAGE) })}`,
    earlier = [],
  ) =>
    load(list, async () => {
      const page = await get(path);
      const rows = [...earlier, ...page.records];
      fill(
        list,
        table(
          `Records of ${collection.value()}`,
          [
            {
              name: "Key",
              head: true,
              class: "key",
              cell: (row) => h("code", {}, row.key ?? `base64 ${row.key_base64}`),
            },
            { name: "Size", number: true, cell: (row) => bytes(row.bytes) },
            {
              name: "",
              cell: (row) =>
                button(
                  "In both stores",
                  () => showRecord(fromBase64(row.key_base64), row.key ?? `base64 ${row.key_base64}`),
                  { key: row.key_base64, name: `Show ${row.key ?? row.key_base64} in both stores` },
                ),
            },
          ],
          rows,
          { empty: "No record begins so." },
        ),
        page.next && button("More", () => browse(page.next, rows), { key: "more" }),
      );
    });
  const submit = (event) => {
    event.preventDefault();
    browse();
  };
  const showOne = (event) => {
    event.preventDefault();
    if (exact.input.value) showRecord(new TextEncoder().encode(exact.input.value), exact.input.value);
  };
  const choose = (name) => {
    collection.input.value = name;
    browse();
  };
  fill(
    root,
    head("Data", "Records as the service holds them, and as each store holds them by itself."),
    panel("Collections", collections),
    panel(
      "Records",
      h(
        "form",
        { onsubmit: submit },
        h(
          "div",
          { class: "fields" },
          collection.node,
          prefix.node,
          h("div", {}, h("button", { type: "submit", class: "main", "data-key": "browse" }, "Browse")),
        ),
      ),
      h(
        "form",
        { onsubmit: showOne },
        h(
          "div",
          { class: "fields" },
          exact.node,
          h("div", {}, h("button", { type: "submit", "data-key": "show" }, "Show in both stores")),
        ),
      ),
      list,
    ),
    record,
  );
  load(collections, async () => {
    try {
      const answer = await get("/v1/collections");
      fill(
        collections,
        table(
          "Collections",
          [
            { name: "Collection", head: true, cell: (row) => row.name },
            { name: "Records", number: true, cell: (row) => number(row.records) },
            {
              name: "",
              cell: (row) => button("Browse", () => choose(row.name), { key: row.name, name: `Browse ${row.name}` }),
            },
          ],
          answer.collections,
          { empty: "There is none yet: each comes into being with its first write." },
        ),
      );
    } catch (error) {
      if (error.kind !== "no-route") throw error;
      const metrics = Object.keys(live.comparison?.collections ?? {});
      fill(
        collections,
        notice(
          "warn",
          h(
            "p",
            {},
            "This server gives no records over HTTP. Read them by any Redis client on its RESP port, or with ",
            h("code", {}, "switchback sql"),
            ".",
          ),
          metrics.length > 0 && h("p", {}, `Collections that were used since its start: ${metrics.join(", ")}.`),
        ),
      );
    }
  });
}
