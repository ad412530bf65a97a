// Questions before something is done. What destroys something wants a phrase typed, exactly.
import { fill, h } from "./dom.js";
import { button, field, notice } from "./widgets.js";

let count = 0;

// Shows `content` and resolves to what close(value) was given; null when it was left by Escape or Cancel.
function open(title, build) {
  return new Promise((resolve) => {
    count += 1;
    const id = `dialog-${count}`;
    const opener = document.activeElement;
    let result = null;
    const dialog = h("dialog", {
      "aria-labelledby": id,
      onclose: () => {
        dialog.remove();
        if (opener?.isConnected) opener.focus();
        resolve(result);
      },
    });
    const close = (value) => {
      result = value;
      dialog.close();
    };
    fill(dialog, h("h2", { id }, title), build(close));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// {title, body, phrase, action, kind, fields}: resolves to the fields' values, or null. Without the
// phrase the button stays disabled and Enter does nothing.
export function confirm({ title, body = [], phrase = "", action, kind = "danger", fields = {}, reason = false }) {
  return open(title, (close) => {
    const all = { ...fields };
    if (reason) all.reason = field("Why", { placeholder: "for the history", maxlength: 500, autocomplete: "off" });
    const typed = phrase
      ? field(`Type “${phrase}” to confirm`, {
          autocomplete: "off",
          spellcheck: "false",
          autocapitalize: "off",
          class: "phrase",
        })
      : null;
    const isRight = () => typed === null || typed.input.value === phrase;
    const go = h("button", { type: "submit", class: kind, disabled: !isRight() }, action);
    typed?.input.addEventListener("input", () => {
      go.disabled = !isRight();
    });
    const submit = (event) => {
      event.preventDefault();
      if (!isRight()) return;
      close(Object.fromEntries(Object.entries(all).map(([name, of]) => [name, of.value()])));
    };
    return h(
      "form",
      { onsubmit: submit, novalidate: true },
      body,
      Object.values(all).map((of) => of.node),
      typed?.node,
      h(
        "div",
        { class: "row" },
        button("Cancel", () => close(null)),
        go,
      ),
    );
  });
}

// Shows something to read.
export function show(title, ...body) {
  return open(title, (close) =>
    h(
      "div",
      {},
      body,
      h(
        "div",
        { class: "row" },
        button("Close", () => close(null), { kind: "main" }),
      ),
    ),
  );
}

// The token, until there is one. The request that wanted it goes on then.
export async function askToken(wasWrong, setToken) {
  for (;;) {
    const value = await open("This server asks for a token", (close) => {
      const token = field("Token", {
        type: "password",
        autocomplete: "current-password",
        hint: "Kept in this tab until it is closed, and nowhere else.",
      });
      const submit = (event) => {
        event.preventDefault();
        if (token.value()) close(token.value());
      };
      return h(
        "form",
        { onsubmit: submit },
        wasWrong && notice("bad", "That token was refused."),
        token.node,
        h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Go on")),
      );
    });
    if (value) {
      setToken(value);
      return;
    }
  }
}
