// The frame around the pages: navigation, state of the service, connection, theme, token.
import { actor, onLost, onTokenNeeded, setActor, setToken } from "./api.js";
import { askToken } from "./dialog.js";
import { fill, h, onChange } from "./dom.js";
import { isStreaming } from "./events.js";
import { clockOf, percent, seconds } from "./format.js";
import { live, onLive, start } from "./live.js";
import { lookWho, whoLine } from "./rights.js";
import { badge, lostMessage, notice } from "./widgets.js";

const PAGES = [
  ["overview", "Overview"],
  ["rollback", "Rollback"],
  ["recovery", "Recovery"],
  ["backups", "Backups"],
  ["migration", "Migration"],
  ["rollout", "Rollout"],
  ["schema", "Schema"],
  ["flags", "Flags"],
  ["data", "Data"],
  ["history", "History"],
  ["notifications", "Notifications"],
];
const element = (id) => document.getElementById(id);

// ---- pages: "#/backups/ID?x=1" is the page backups with the rest of the path

let leave = null;
let turn = 0;

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const page = PAGES.find(([of]) => of === name) ?? PAGES[0];
  return { page, rest: rest.map(decodeURIComponent), query: new URLSearchParams(query) };
}

async function go(isFirst) {
  turn += 1;
  const mine = turn;
  const {
    page: [name, title],
    rest,
    query,
  } = place();
  document.title = `${title} · Switchback`;
  for (const link of element("nav").querySelectorAll("a"))
    (link.toggleAttribute("aria-current", false),
      link.dataset.page === name && link.setAttribute("aria-current", "page"));
  closeMenu();
  lookWho();
  leave?.();
  leave = null;
  const root = h("div", { "data-page": name });
  try {
    const module = await import(`./pages/${name}.js`);
    if (mine !== turn) return;
    fill(element("main"), root);
    leave = module.mount(root, { rest, query }) ?? null;
  } catch (error) {
    if (mine !== turn) return;
    console.error(error);
    fill(element("main"), notice("bad", `The page cannot be shown: ${error.message}. Reload it.`));
  }
  if (!isFirst) element("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function closeMenu() {
  element("nav").classList.remove("open");
  element("menu").setAttribute("aria-expanded", "false");
}

// ---- the bar

const drawSummary = onChange(({ stage, desired, effective, latched, proposes, isHeld, isLogFailed }) => {
  fill(
    element("summary"),
    badge(`stage ${stage}`, ""),
    badge(
      effective === desired
        ? `SQLite answers ${percent(effective)}`
        : `SQLite answers ${percent(effective)} of ${percent(desired)} asked`,
      effective === desired ? "" : "warn",
    ),
    latched && badge(`latched on LMDB: ${latched}`, "bad"),
    proposes && badge("the guard asks whether to go back", "bad"),
    isHeld && badge("writes are refused", "bad"),
    isLogFailed && badge("the commit log failed", "bad"),
  );
});

function drawStale() {
  document.body.toggleAttribute("data-stale", live.isStale);
  const state = live.isStale ? "stale" : live.updatedAt ? "live" : "connecting";
  element("link").dataset.state = state;
  const words = {
    stale: live.error ? "refused" : "no connection",
    connecting: "connecting",
    live: isStreaming() ? "live" : "live, events connecting",
  };
  if (element("link-text").textContent !== words[state]) element("link-text").textContent = words[state];
  element("stale").hidden = !live.isStale;
  if (live.isStale) drawAlert(live.error ? `The server refuses: ${live.error}. ` : "No connection to the server. ");
}

// A screen reader is told once what is wrong, and not every second how old the figures are.
function drawAlert(what) {
  const age = seconds(Math.round((Date.now() - live.updatedAt) / 1000));
  const since = live.updatedAt
    ? `What you see is from ${clockOf(live.updatedAt)}, ${age} ago. Trying again every second.`
    : "Nothing was received yet. Trying again every second.";
  const box = element("stale");
  if (box.firstElementChild?.textContent !== what)
    fill(box, h("span", {}, what), h("span", { "aria-hidden": "true" }, since));
  else box.lastElementChild.textContent = since;
}

function drawFrame() {
  const { status, guard } = live;
  if (status) {
    drawSummary({
      stage: status.stage,
      desired: status.routing.desired_percentage,
      effective: status.routing.effective_percentage,
      latched: guard?.latched?.cause ?? null,
      proposes: Boolean(guard?.proposal),
      isHeld: Boolean(status.writes.hold_reason),
      isLogFailed: status.log.is_failed,
    });
  }
  drawStale();
}

// ---- the theme: the system's, unless it was chosen here

const isDark = () =>
  (document.documentElement.dataset.theme ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
function drawTheme() {
  element("theme").textContent = isDark() ? "Light" : "Dark";
  element("theme").setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
}
function changeTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("switchback.theme", document.documentElement.dataset.theme);
  } catch {
    /* for this page, then */
  }
  drawTheme();
  document.dispatchEvent(new Event("switchback:theme"));
}

const name = h("input", {
  value: actor(),
  maxlength: 100,
  autocomplete: "off",
  spellcheck: "false",
  onchange: () => setActor(name.value.trim()),
});
fill(
  element("nav"),
  h(
    "ul",
    {},
    PAGES.map(([name, title]) => h("li", {}, h("a", { href: `#/${name}`, "data-page": name }, title))),
  ),
  h("label", {}, "Your name, for the history", name),
  whoLine(),
);
element("menu").addEventListener("click", () => {
  const isOpen = element("nav").classList.toggle("open");
  element("menu").setAttribute("aria-expanded", String(isOpen));
});
element("theme").addEventListener("click", changeTheme);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  element("main").focus();
});
drawTheme();
onLost(lostMessage);
onTokenNeeded((wasWrong) =>
  askToken(wasWrong, (token) => {
    setToken(token);
    lookWho();
  }),
);
onLive(drawFrame);
window.addEventListener("hashchange", () => go(false));
start();
go(true);
