// The rollback at hand, or the newest one: how far it is and what came of it.
import { download, get } from "./api.js";
import { fill, h } from "./dom.js";
import { onEvent } from "./events.js";
import { milliseconds } from "./format.js";
import { act, badge, button, checksTable, facts, load, notice, progressBar, steps } from "./widgets.js";

const STAGES = ["PREPARING", "EXECUTING", "VERIFYING", "COMPLETED"];
const POLL_MS = 400;
const isOver = (operation) => operation === null || operation.stage === "COMPLETED" || operation.stage === "FAILED";

function stageList(operation) {
  const at = STAGES.indexOf(operation.stage);
  const list = STAGES.map((name, index) => ({
    name: name.toLowerCase(),
    state: at < 0 ? "" : index < at || operation.stage === "COMPLETED" ? "done" : index === at ? "now" : "",
  }));
  return operation.stage === "FAILED" ? [...list.slice(0, -1), { name: "failed", state: "bad" }] : list;
}

export const evidenceButton = (name) =>
  button(
    "Download the evidence",
    () => act("", () => download(`/v1/evidence/${encodeURIComponent(name)}`, `${name}.tar.zst`)),
    { name: `Download the evidence ${name}`, needs: "GET /v1/evidence/{name}" },
  );

function result(operation) {
  return [
    operation.final_status && h("p", {}, "Result: ", badge(operation.final_status)),
    facts([
      ["Operation", operation.id],
      ["By", operation.actor],
      ["Why", operation.reason],
      ["Took", milliseconds(operation.total_ms)],
    ]),
    operation.errors.map((error) => notice("bad", error)),
    operation.validation && [
      h("h3", {}, "Validation: ", badge(operation.validation.passed ? "ok" : "failed")),
      checksTable(operation.validation.checks),
    ],
    operation.evidence && h("div", { class: "row" }, evidenceButton(operation.evidence)),
  ];
}

// onShow({check, operation}) after each look.
export function followRollback(onShow = () => {}) {
  const bar = progressBar("Progress of the rollback");
  const stages = h("div");
  const place = h("div", {}, h("p", { class: "muted" }, "Looking…"));
  const node = h("div", { class: "live-data" }, stages, bar.node, place);
  let timer = null;
  let isEnded = false;
  function draw(operation) {
    bar.node.hidden = isOver(operation);
    if (operation === null) {
      fill(place, h("p", { class: "muted" }, "Nothing was rolled back so far."));
      return;
    }
    fill(stages, steps(stageList(operation)));
    bar.update({ percent: operation.percent, what: operation.step });
    fill(place, isOver(operation) ? result(operation) : null);
  }
  const look = () =>
    load(place, async () => {
      clearTimeout(timer);
      const answer = await get("/v1/rollback");
      if (isEnded) return;
      draw(answer.operation);
      onShow(answer);
      if (!isOver(answer.operation)) timer = setTimeout(look, POLL_MS);
    });
  const end = onEvent(({ event, data }) => {
    if (
      event === "connected" ||
      event === "guard" ||
      event === "flags" ||
      (event === "operation" && String(data.kind).startsWith("rollback"))
    )
      look();
  });
  look();
  return {
    node,
    look,
    stop() {
      isEnded = true;
      clearTimeout(timer);
      end();
    },
  };
}
