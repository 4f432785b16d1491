// Saying something to whoever looks at the page, or listens to it, and asking.

const NOTICES_MOST = 4;
const NOTICE_STAYS = 8000; // milliseconds

/** A word for screen readers. */
function announce(text) {
  byId("announcer").textContent = text;
}

/** A notice in the corner, which goes away by itself. */
function notify(text, kind = "info") {
  const notice = element("div", { class: `notice ${kind}` }, element("span", {}, cut(text, 600)));
  notice.append(button("×", () => notice.remove(), { class: "quiet", "aria-label": "Close" }));
  const all = byId("notices");
  all.append(notice);
  while (all.children.length > NOTICES_MOST) all.firstChild.remove();
  setTimeout(() => notice.remove(), NOTICE_STAYS);
}

/** Do something that can fail: the failure is told. */
async function attempt(action) {
  try {
    return await action();
  } catch (problem) {
    if (problem.name !== "AbortError") notify(problem.message, "bad");
    return undefined;
  }
}

/** Show the dialog; `parts` are nodes of a form. Gives the form's values, or null. */
function ask(title, parts, label, kind = "main") {
  const dialog = byId("dialog");
  return new Promise((resolve) => {
    const cancel = button("Cancel", () => dialog.close());
    const go = element("button", { type: "submit", class: kind }, label);
    const form = element("form", { method: "dialog", submit: (event) => {
      event.preventDefault();
      answer = new FormData(form);
      dialog.close();
    } }, element("h2", { id: "dialog-title" }, title), ...parts,
    element("div", { class: "row end" }, cancel, go));
    let answer = null;
    dialog.replaceChildren(form);
    dialog.onclose = () => {
      dialog.replaceChildren();
      resolve(answer);
    };
    dialog.showModal();
    (form.querySelector("input, select, textarea") ?? go).focus();
  });
}

/** Ask for one text. */
async function askText(title, label, value, action) {
  const input = element("input", { name: "text", value, required: true, autocomplete: "off",
    spellcheck: "false" });
  const answer = ask(title, [element("label", {}, label, input)], action);
  input.select();
  return (await answer)?.get("text") ?? null;
}

/** Ask whether to go on with what cannot be taken back. */
async function askWhether(title, text, action) {
  return (await ask(title, [element("p", {}, text)], action, "bad")) !== null;
}

/** Show something that is only to be read. */
function show(title, ...parts) {
  const dialog = byId("dialog");
  const close = element("button", { type: "submit", class: "main" }, "Close");
  dialog.onclose = () => dialog.replaceChildren();
  dialog.replaceChildren(element("form", { method: "dialog" },
    element("h2", { id: "dialog-title" }, title), ...parts,
    element("div", { class: "row end" }, close)));
  dialog.showModal();
  close.focus();
}
