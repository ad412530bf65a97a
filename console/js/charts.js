// Charts of both roles over the last minutes: legacy a full line, unified a dashed one.
/* global uPlot */
import { h } from "./dom.js";

const ROLES = ["legacy", "unified"];
const SPAN_SECONDS = 300;
const SPAN_SECONDS_MIN = 60;
// Not in the page's head: the first paint would wait for it.
document.head.append(h("link", { rel: "stylesheet", href: "/console/vendor/uPlot.min.css" }));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class RoleChart {
  // value(sample, role) -> number or null; show(number) -> text.
  constructor(title, value, show) {
    this.value = value;
    this.show = show;
    this.now = Object.fromEntries(ROLES.map((role) => [role, h("b", {}, "–")]));
    this.plotPlace = h("div", {
      class: "plot",
      role: "img",
      "aria-label": `${title}, the last five minutes; the newest figures stand beside it`,
    });
    this.node = h(
      "figure",
      { class: "chart panel" },
      h(
        "figcaption",
        {},
        h("h3", {}, title),
        h(
          "span",
          { class: "legend" },
          ROLES.map((role) =>
            h("span", {}, h("i", { class: `swatch ${role}`, "aria-hidden": "true" }), `${role} `, this.now[role]),
          ),
        ),
      ),
      this.plotPlace,
    );
    this.observer = new ResizeObserver(() => this.resize());
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.make();
    this.scheme.addEventListener("change", this.redraw);
    document.addEventListener("switchback:theme", this.redraw);
  }

  // Only once it is in the page: it takes its size from there.
  start() {
    this.make();
    this.observer.observe(this.plotPlace);
  }

  make() {
    this.plot?.destroy();
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--grid"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const line = (role, dash) => ({
      label: role,
      stroke: colour(`--${role}`),
      width: 1.75,
      dash,
      points: { show: false },
      spanGaps: false,
    });
    this.plot = new uPlot(
      {
        width: Math.max(200, this.plotPlace.clientWidth),
        height: 150,
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 28, 0, 0],
        scales: {
          x: { time: true, range: () => [this.begin(), this.end()] },
          y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            space: 70,
            values: (u, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB")),
          },
          { ...axis, size: 62, space: 30, values: (u, splits) => splits.map((of) => this.show(of)) },
        ],
        series: [{}, line("legacy"), line("unified", [6, 3])],
      },
      this.data ?? [[], [], []],
      this.plotPlace,
    );
  }

  begin() {
    const first = this.data?.[0][0] ?? this.end();
    return Math.max(this.end() - SPAN_SECONDS, Math.min(first, this.end() - SPAN_SECONDS_MIN));
  }
  end() {
    return this.data?.[0].at(-1) ?? Date.now() / 1000;
  }

  resize() {
    const width = this.plotPlace.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: 150 });
  }

  update(samples) {
    this.data = [
      samples.map((sample) => sample.at),
      ...ROLES.map((role) => samples.map((sample) => this.value(sample, role) ?? null)),
    ];
    const last = samples.at(-1);
    for (const role of ROLES) this.now[role].textContent = last ? this.show(this.value(last, role)) : "–";
    this.plot?.setData(this.data);
  }

  destroy() {
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
    document.removeEventListener("switchback:theme", this.redraw);
    this.plot?.destroy();
  }
}
