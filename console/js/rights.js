// What the token that is shown may do. The server decides, in any case; here it is said before somebody tries.
import { get, onForbidden } from "./api.js";
import { h } from "./dom.js";

// GET /v1/whoami. null: not known yet, or a server that has no such route: nothing is held back then.
let who = null;
const may = (operation) => who === null || who.operations.includes(operation);
const reason = () => `The role ${who.role}${who.name ? ` of the token ${who.name}` : ""} may not do this.`;

const before = new WeakMap(); // of a button that is held: what it was like
function draw(button) {
  const isHeld = !may(button.dataset.needs);
  const was = before.get(button);
  if (isHeld) {
    if (!was) before.set(button, { disabled: button.disabled, title: button.title });
    button.disabled = true;
    button.title = reason();
    button.setAttribute("aria-description", button.title);
  } else if (was) {
    before.delete(button);
    Object.assign(button, was);
    button.removeAttribute("aria-description");
  }
}

// A button that does `operation`, "POST /v1/rollback" as the server names it: held where the role may not.
export function needing(operation, button) {
  button.dataset.needs = operation;
  draw(button);
  return button;
}

const line = h("p", { class: "who", hidden: true });
export const whoLine = () => line;
function drawLine() {
  line.hidden = who.name === "" && who.role === "admin";
  line.textContent = `${who.name ? `Token ${who.name}: ` : ""}${who.role}`;
}

let isLooking = false;
// Asks who one is. A token may get another role, or another token may be entered, at any time.
export async function lookWho() {
  if (isLooking) return;
  isLooking = true;
  try {
    who = await get("/v1/whoami");
    drawLine();
    document.querySelectorAll("[data-needs]").forEach(draw);
  } catch {
    // Told by everything else on the page.
  } finally {
    isLooking = false;
  }
}
onForbidden(lookWho);
