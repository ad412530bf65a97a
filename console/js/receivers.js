// What is wrong with those who are told of what happens (GET /v1/notifications).
import { h } from "./dom.js";
import { number } from "./format.js";
import { notice } from "./widgets.js";

const lost = (row) =>
  ["refused", "expired", "dropped"].filter((name) => row[name] > 0).map((name) => `${number(row[name])} ${name}`);

// One that never got what was for it, or does not take it now.
export const troubles = (sinks) =>
  sinks.flatMap((row) => [
    row.waiting > 0 &&
      row.last?.outcome === "failed" &&
      notice(
        "warn",
        h("strong", {}, `${row.name} does not take what waits: ${number(row.waiting)}. `),
        row.last.text,
        row.next_attempt_seconds !== null && h("span", { class: "muted" }, " It is tried again by itself."),
      ),
    lost(row).length > 0 &&
      notice(
        "bad",
        h("strong", {}, `${row.name} did not get all: `),
        `${lost(row).join(", ")} since the server started.`,
      ),
  ]);
