// What pages are put together from.
import { fill, h } from "./dom.js";
import { bytes, number, percent, seconds } from "./format.js";
import { needing } from "./rights.js";

const MARKS = { good: "✓", warn: "!", bad: "✕" };
const TONES = {
  good: [
    "in-sync",
    "watching",
    "clean",
    "complete",
    "completed",
    "done",
    "ok",
    "SUCCESS",
    "COMPLETED",
    "verified",
    "applied",
    "live",
    "intact",
  ],
  warn: [
    "catching-up",
    "backfilling",
    "paused",
    "waiting",
    "pending",
    "interrupted",
    "PARTIAL",
    "edited",
    "running",
    "rolling-back",
    "completing",
    "aborting",
    "PREPARING",
    "EXECUTING",
    "VERIFYING",
    "not verified",
  ],
  bad: ["failed", "detached", "tripped", "damaged", "differences", "FAILED", "missing", "locked", "refused"],
};
export const toneOf = (word) => Object.keys(TONES).find((tone) => TONES[tone].includes(word)) ?? "";

// A state in a word, a mark and a colour.
export function badge(word, tone = toneOf(word)) {
  return h("span", { class: `badge ${tone}` }, MARKS[tone] && h("span", { "aria-hidden": "true" }, MARKS[tone]), word);
}

export const notice = (tone, ...children) => h("div", { class: `notice ${tone}` }, ...children);
export const panel = (title, ...children) => h("section", { class: "panel" }, title && h("h2", {}, title), ...children);
// `needs` names the operation of the server that it does, for whoever may not.
export function button(label, onclick, { kind = "", key = null, name = null, disabled = false, needs = "" } = {}) {
  const made = h(
    "button",
    { type: "button", class: kind || null, onclick, "data-key": key, "aria-label": name, disabled },
    label,
  );
  return needs ? needing(needs, made) : made;
}
export const submitButton = (label, { kind = null, key = null, needs }) =>
  needing(needs, h("button", { type: "submit", class: kind, "data-key": key }, label));
export const head = (title, text, ...actions) =>
  h(
    "div",
    { class: "head" },
    h("div", {}, h("h1", {}, title), text && h("p", {}, text)),
    actions.length > 0 && h("div", { class: "row" }, ...actions),
  );

// [[term, value], ...] without those whose value is null.
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]),
  );
}

// columns: [{name, number?, cell: (row) => child, head?: true}]. A scrollable region needs the keyboard, too.
export function table(caption, columns, rows, { empty = "None.", rowClass = null } = {}) {
  if (rows.length === 0) return h("p", { class: "muted" }, empty);
  const cell = (column, row) =>
    h(
      column.head ? "th" : "td",
      {
        class: [column.number && "number", column.class].filter(Boolean).join(" ") || null,
        scope: column.head ? "row" : null,
      },
      column.cell(row),
    );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption, "data-key": caption },
    h(
      "table",
      {},
      h("caption", { class: "sr" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) => h("th", { scope: "col", class: column.number ? "number" : null }, column.name)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            { class: rowClass?.(row) || null },
            columns.map((column) => cell(column, row)),
          ),
        ),
      ),
    ),
  );
}

let fieldCount = 0;
// A labelled field; gives back {node, input, value()}. The hint describes it and is no part of its name.
export function field(label, { type = "text", value = "", hint = null, options = null, ...rest } = {}) {
  fieldCount += 1;
  const id = `field-${fieldCount}`;
  const attributes = { ...rest, id, "aria-describedby": hint && `${id}-hint` };
  const input = options
    ? h(
        "select",
        attributes,
        options.map(([of, text]) => h("option", { value: of, selected: of === value }, text)),
      )
    : h(type === "textarea" ? "textarea" : "input", { ...attributes, type: type === "textarea" ? null : type, value });
  const node = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint && h("span", { class: "hint", id: `${id}-hint` }, hint),
  );
  return { input, node, value: () => input.value.trim() };
}
export function check(label, { checked = false, hint = null } = {}) {
  const input = h("input", { type: "checkbox", checked });
  return {
    input,
    node: h("label", { class: "check" }, input, h("span", {}, label, hint && h("span", { class: "hint" }, hint))),
    value: () => input.checked,
  };
}

// Progress that is drawn once and then changed, so that a screen reader hears steps and not redraws.
export function progressBar(label) {
  const bar = h("progress", { max: "100", value: 0, "aria-label": label });
  const text = h("p", { class: "small", "aria-live": "polite" });
  const node = h("div", {}, bar, text);
  return {
    node,
    update({ percent: done, what = "", eta = null, extra = "" }) {
      if (typeof done === "number") bar.value = done;
      const line = [
        what,
        typeof done === "number" ? percent(Math.floor(done)) : "",
        typeof eta === "number" && eta > 0 ? `about ${seconds(Math.ceil(eta))} left` : "",
        extra,
      ]
        .filter(Boolean)
        .join(" · ");
      if (text.textContent !== line) text.textContent = line;
    },
  };
}

export function steps(list) {
  // [{name, state: done|now|bad|""}]
  return h(
    "ol",
    { class: "steps" },
    list.map(({ name, state }) =>
      h(
        "li",
        { class: state === "done" || state === "bad" ? state : null, "aria-current": state === "now" ? "step" : null },
        state === "done" && "✓ ",
        state === "bad" && "✕ ",
        name,
      ),
    ),
  );
}

export function checksTable(checks) {
  return table(
    "Checks",
    [
      { name: "Check", head: true, cell: (check) => check.name },
      { name: "Result", cell: (check) => ((check.passed ?? check.is_ok) ? badge("ok") : badge("failed")) },
      { name: "What was found", cell: (check) => check.detail },
    ],
    checks,
  );
}

// ---- messages at the edge of the page

const MESSAGE_MS = 8000;
export function message(text, tone = "good") {
  const box = h(
    "div",
    { class: `message ${tone}`, role: tone === "bad" ? "alert" : null },
    h("p", {}, tone === "bad" && h("strong", {}, "Not done. "), text),
    button("Close", () => box.remove(), { name: "Close the message" }),
  );
  document.getElementById("messages").append(box);
  if (tone !== "bad") setTimeout(() => box.remove(), MESSAGE_MS);
}

// Until the server is back, or somebody has waited enough: stop() ends the wait. Gives back what takes the word away.
export function lostMessage(stop) {
  const box = h(
    "div",
    { class: "message warn", role: "alert" },
    h(
      "p",
      {},
      h("strong", {}, "The connection was lost before there was an answer. "),
      "The same request is sent again until the server is back; it is done once.",
    ),
    button("Stop trying", stop),
  );
  document.getElementById("messages").append(box);
  return () => box.remove();
}

// Runs an action of the operator's and says how it went; gives back its value, or null when it failed.
export async function act(what, run) {
  try {
    const value = await run();
    if (what) message(what);
    return value ?? true;
  } catch (error) {
    message(error.message, "bad");
    return null;
  }
}

// Loads something into a place, with its error in that place.
export async function load(place, run) {
  try {
    await run();
  } catch (error) {
    fill(place, notice("bad", error.message));
  }
}

export function copyable(text) {
  const pre = h("pre", {}, text);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      message("Copied.");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(pre);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      message("Selected: copy it with the keyboard.");
    }
  });
  return {
    node: h("div", { class: "copyable" }, pre, copy),
    set: (value) => {
      pre.textContent = value;
    },
  };
}

export const sizes = (row) => [bytes(row.bytes), ", ", number(row.records), " records"];
