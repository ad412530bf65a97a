// The service at a glance, and the way back.
import { decide, leaveSafeMode, rearm, rollBackNow } from "../actions.js";
import { get } from "../api.js";
import { RoleChart } from "../charts.js";
import { fill, h, onChange } from "../dom.js";
import {
  bytes,
  clockOf,
  isNumber,
  microseconds,
  milliseconds,
  number,
  percent,
  plural,
  seconds,
  time,
} from "../format.js";
import { every, live, onLive } from "../live.js";
import { troubles } from "../receivers.js";
import { badge, button, facts, head, load, notice, panel, table } from "../widgets.js";

const STAGES = {
  off: "LMDB alone. SQLite is empty or being filled.",
  dualwrite: "Both hold every acknowledged write. LMDB answers.",
  shadow: "Both hold every write, LMDB answers, a share of reads is compared.",
  live: "SQLite answers a share of the keys. Both hold every write.",
  rampdown: "SQLite answers every key. LMDB still gets every write.",
  complete: "SQLite alone. LMDB was let go and is kept.",
};

const CHARTS = [
  [
    "Reads per second",
    (sample, role) => sample[role].rate,
    (value) => number(isNumber(value) ? Math.round(value * 10) / 10 : value),
  ],
  ["Errors per second", (sample, role) => sample[role].errors, number],
  ["Read latency, median", (sample, role) => sample[role].p50, microseconds],
  ["Read latency, p99", (sample, role) => sample[role].p99, microseconds],
  ["Behind the log", (sample, role) => sample[role].lag, milliseconds],
  ["Applying a batch, p99", (sample, role) => sample[role].apply, microseconds],
];

// Figures that change all the time are shown as text here; those that change seldom are drawn anew.
function cards() {
  const stage = h("section", { class: "panel" });
  const share = h("section", { class: "panel" });
  const guard = h("section", { class: "panel" });
  const backup = h("section", { class: "panel" });
  const draw = {
    stage: onChange((status) =>
      fill(
        stage,
        h("h2", {}, "Stage"),
        h("p", { class: "big" }, status.stage),
        h("p", { class: "muted" }, STAGES[status.stage] ?? ""),
        status.held && notice("bad", h("p", {}, h("strong", {}, "Writes are refused. "), status.held)),
        status.held.includes("safe mode") &&
          button("Leave safe mode…", leaveSafeMode, { needs: "POST /v1/safe-mode/leave" }),
      ),
    ),
    share: onChange((routing) =>
      fill(
        share,
        h("h2", {}, "Answered by SQLite"),
        h("p", { class: "big" }, percent(routing.effective_percentage)),
        h("p", { class: "muted" }, `The flag asks for ${percent(routing.desired_percentage)}.`),
        Object.entries(routing.overrides ?? {}).map(([collection, of]) =>
          h("p", { class: "muted" }, h("code", {}, collection), ` has a flag of its own: ${percent(of)}.`),
        ),
        routing.reason && notice("warn", routing.reason),
        routing.hold_reason && routing.hold_reason !== routing.reason && notice("bad", routing.hold_reason),
      ),
    ),
    guard: onChange((of) =>
      fill(
        guard,
        h("h2", {}, "Guard"),
        of === null
          ? h("p", { class: "muted" }, "This server has none.")
          : [
              h("p", {}, badge(of.state), of.isDry && [" ", badge("dry run", "warn")]),
              h(
                "p",
                { class: "muted" },
                of.trips === 0 ? "It has not tripped." : `Tripped ${plural(of.trips, "time")}.`,
              ),
              of.proposal &&
                notice(
                  "bad",
                  h("p", {}, h("strong", {}, "It proposes to go back. "), of.proposal),
                  button("Go back…", () => decide(true), { needs: "POST /v1/guard/confirm" }),
                  " ",
                  button("Dismiss…", () => decide(false), { needs: "POST /v1/guard/dismiss" }),
                ),
              of.latched &&
                notice(
                  "bad",
                  h("p", {}, h("strong", {}, `Trip ${of.latched.id}, ${of.latched.cause}. `), of.latched.reason),
                  button("Re-arm…", rearm, { needs: "POST /v1/guard/rearm" }),
                ),
            ],
      ),
    ),
  };
  return {
    nodes: [stage, share, guard, backup],
    backup,
    update() {
      const { status, guard: of } = live;
      if (status) {
        draw.stage({ stage: status.stage, held: status.writes.hold_reason ?? "" });
        draw.share({ ...status.routing, flips: 0 });
      }
      draw.guard(
        of && {
          state: of.state,
          isDry: of.dry_run,
          trips: of.trips,
          latched: of.latched,
          proposal: of.proposal?.reason ?? null,
        },
      );
    },
  };
}

function drawBackup(place, list) {
  const newest = list.backups.find((backup) => backup.verified);
  fill(
    place,
    h("h2", {}, "Newest verified backup"),
    newest
      ? [
          h("p", { class: "big" }, seconds(newest.age_seconds), h("span", { class: "small muted" }, " old")),
          h("p", { class: "muted" }, h("a", { href: `#/backups/${newest.id}` }, newest.id), ", ", bytes(newest.bytes)),
        ]
      : [
          h("p", {}, badge("none", "warn")),
          h("p", {}, h("a", { href: "#/backups" }, "Make one"), " before anything is changed."),
        ],
  );
}

function storesTable(status) {
  const rows = Object.entries(status.followers).map(([role, follower]) => ({ role, ...follower }));
  return table(
    "Both stores",
    [
      { name: "Store", head: true, cell: (row) => `${row.role} (${row.engine})` },
      { name: "State", cell: (row) => [badge(row.state), row.reason && h("div", { class: "small" }, row.reason)] },
      {
        name: "Behind",
        number: true,
        cell: (row) => `${plural(row.lag_batches, "batch", "batches")}, ${milliseconds(row.lag_ms)}`,
      },
      { name: "Applied", number: true, cell: (row) => number(row.applied_sequence) },
      { name: "On disk", number: true, cell: (row) => bytes(row.file_bytes + row.wal_bytes) },
      { name: "Where", cell: (row) => h("code", {}, row.path) },
    ],
    rows,
  );
}

function pipelineFacts(status) {
  return facts([
    ["Newest batch", number(status.last_sequence)],
    [
      "Writes",
      `${number(status.writes.count)}, ${plural(status.writes.errors, "error")}, p99 ${microseconds(status.writes.latency.p99_us)}`,
    ],
    ["Sync of the log", `p99 ${microseconds(status.log.sync.p99_us)}`],
    ["Memtable", `${bytes(status.memtable.bytes)} of ${bytes(status.memtable.bytes_max)}`],
    ["Commit log", `${bytes(status.log.bytes)} in ${plural(status.log.files, "file")}`],
    ["Clients", number(status.server.resp.connections)],
    ["Process", `${bytes(status.process.resident_bytes)}, up ${seconds(Math.round(status.uptime_seconds))}`],
    ["Version", status.version],
  ]);
}

function guardTable(guard) {
  return table(
    "What the guard sees, beside what trips it",
    [
      { name: "Stream", head: true, cell: (row) => row.stream.replace("_", " ") },
      { name: "S / h", number: true, cell: (row) => `${row.sum.toFixed(1)} / ${row.limit.toFixed(1)}` },
      {
        name: "Of the threshold",
        cell: (row) =>
          h("progress", {
            max: row.limit,
            value: Math.min(row.sum, row.limit),
            "aria-label": `${row.stream}: ${Math.round((100 * row.sum) / row.limit)} % of the threshold`,
          }),
      },
      { name: "Bad of all", number: true, cell: (row) => `${number(row.bad_all)} of ${number(row.count_all)}` },
      { name: "Bad above", number: true, cell: (row) => (row.threshold_us ? microseconds(row.threshold_us) : "–") },
    ],
    guard?.streams ?? [],
    { empty: "The guard watches nothing at the moment." },
  );
}

const describe = ({ event, data }) => {
  if (event === "operation")
    return `${data.kind} ${data.id}: ${data.step?.name ? `${data.step.name} ` : ""}${data.step?.status ?? data.status}`;
  if (event === "flags")
    return `${percent(data.effective_percentage)} to SQLite${data.warning ? `, ${data.warning}` : ""}${data.reason ? `: ${data.reason}` : ""}`;
  if (event === "follower") return `${data.role} is ${data.state}${data.reason ? `: ${data.reason}` : ""}`;
  if (event === "server") return `${data.state}, stage ${data.stage}, ${data.generation}`;
  if (event === "guard") return data.text ?? data.reason ?? data.event;
  return data.state ?? data.running ?? "";
};

function errorsTable(errors) {
  return table(
    "The newest errors of the stores",
    [
      { name: "When", cell: (row) => time(row.time) },
      { name: "Store", cell: (row) => row.role },
      { name: "What", cell: (row) => `${row.operation} ${row.collection}` },
      { name: "Error", cell: (row) => row.message },
    ],
    errors.slice(0, 10),
    { empty: "No store had an error." },
  );
}

export function mount(root) {
  const card = cards();
  const charts = CHARTS.map((of) => new RoleChart(...of));
  const parts = {
    stores: h("div"),
    pipeline: h("div"),
    guard: h("div"),
    errors: h("div"),
    alerts: h("div"),
    receivers: h("div"),
    feed: h("ol", { class: "feed", tabindex: "0", "aria-label": "What happened" }),
  };
  fill(
    root,
    head(
      "Overview",
      "Both stores hold every acknowledged write, so going back loses nothing.",
      button("Roll back now…", rollBackNow, {
        kind: "danger alarm",
        key: "roll-back",
        needs: "POST /v1/rollback",
      }),
    ),
    h(
      "div",
      { class: "live-data" },
      parts.alerts,
      parts.receivers,
      h("div", { class: "grid" }, card.nodes),
      h(
        "div",
        { class: "grid charts" },
        charts.map((chart) => chart.node),
      ),
      panel("Stores", parts.stores),
      h(
        "div",
        { class: "grid wide" },
        panel("Guard: evidence against SQLite", parts.guard),
        panel("Writes and the log", parts.pipeline),
      ),
      h("div", { class: "grid wide" }, panel("What happened", parts.feed), panel("Errors of the stores", parts.errors)),
    ),
  );
  charts.forEach((chart) => chart.start());
  const drawAlerts = onChange((alerts) =>
    fill(
      parts.alerts,
      alerts.map((alert) =>
        notice(
          alert.severity === "page" || alert.severity === "critical" ? "bad" : "warn",
          h("strong", {}, alert.name, ": "),
          alert.text,
        ),
      ),
    ),
  );
  const drawErrors = onChange((errors) => fill(parts.errors, errorsTable(errors)));
  const drawFeed = onChange((feed) =>
    fill(
      parts.feed,
      feed.length === 0
        ? h("li", { class: "only" }, "Nothing since this page was opened.")
        : feed.map((item) =>
            h(
              "li",
              {},
              h("span", { class: "muted" }, clockOf(item.at)),
              h("span", {}, item.event),
              h("span", {}, describe(item)),
            ),
          ),
    ),
  );
  const update = () => {
    card.update();
    charts.forEach((chart) => chart.update(live.samples));
    drawFeed(live.feed);
    drawErrors(live.comparison?.recent_errors ?? []);
    drawAlerts(live.guard?.alerts ?? []);
    fill(parts.guard, guardTable(live.guard));
    if (!live.status) return;
    fill(parts.stores, storesTable(live.status));
    fill(parts.pipeline, pipelineFacts(live.status));
  };
  const drawReceivers = onChange((sinks) => fill(parts.receivers, troubles(sinks)));
  const loadSeldom = async () => {
    if (live.isStale) return;
    load(card.backup, async () => drawBackup(card.backup, await get("/v1/backups")));
    get("/v1/notifications").then(({ sinks }) => drawReceivers(sinks), () => {});
  };
  const endSeldom = every(15_000, loadSeldom);
  update();
  const end = onLive(update);
  return () => {
    end();
    endSeldom();
    charts.forEach((chart) => chart.destroy());
  };
}
