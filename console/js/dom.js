// Elements from code. Data becomes text nodes and attributes, never markup: the page's policy
// (require-trusted-types-for) refuses innerHTML altogether.

// h("p", {class: "muted", onclick: f}, "text", node, null): properties that begin with "on" are
// listeners, `true` is an empty attribute, null and false leave it out.
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

// Replaces what is in `element`. The focus stays on the element with the same data-key, so that
// what is drawn anew under somebody's fingers does not throw them back to the top.
export function fill(element, ...children) {
  const active = document.activeElement;
  const key = element.contains(active) ? active?.dataset?.key : undefined;
  element.replaceChildren();
  add(element, children);
  if (key !== undefined) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// Calls draw(value) when the value is another one than last time.
export function onChange(draw) {
  let last;
  return (value) => {
    const text = JSON.stringify(value);
    if (text === last) return;
    last = text;
    draw(value);
  };
}
