// How the page begins: the key, the look, and the keys of the keyboard.

const THEMES = { auto: "Look: system", light: "Look: light", dark: "Look: dark" };

function showTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  byId("theme").textContent = THEMES[name];
}

function themeNow() {
  return document.documentElement.dataset.theme ?? "auto";
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const name = names[(names.indexOf(themeNow()) + 1) % names.length];
  sessionStorage.setItem("codecell-theme", name);
  showTheme(name);
  announce(THEMES[name]);
}

// ---- in and out ----

function enter() {
  byId("login").hidden = true;
  byId("inside").hidden = false;
  byId("leave").hidden = !key;
  live.begin();
}

function leave(why) {
  live.stop();
  keepKey(null);
  for (const space of spaces.values()) {
    for (const cell of space.console.cells) cell.interrupt();
    space.terminal.controller?.abort();
  }
  spaces.clear();
  chosen = null;
  byId("sandboxes").replaceChildren();
  for (const part of ["inside", "leave", "head", "tabs", ...TABS]) byId(part).hidden = true;
  byId("login").hidden = false;
  byId("login-problem").textContent = why ?? "";
  byId("key").value = "";
  byId("key").focus();
}

async function logIn(event) {
  event.preventDefault();
  keepKey(byId("key").value.trim());
  byId("key").value = "";
  try {
    await control("GET", "/v2/sandboxes?limit=1");
    enter();
    byId("new").focus();
  } catch (problem) {
    leave(problem.status === 401 ? "This is not the key of the gateway." : problem.message);
  }
}

// ---- the keyboard ----

const SHORTCUTS = [
  ["Ctrl+Enter, Shift+Enter", "run the code"],
  ["Ctrl+.", "interrupt what runs"],
  ["Alt+Up, Alt+Down", "code that was run before"],
  ["Ctrl+], Ctrl+[", "lines further in, further out"],
  ["Alt+1 … Alt+4", "console, files, terminal, events"],
  ["Alt+S", "to the list of sandboxes; Up and Down choose"],
  ["Alt+N", "new sandbox"],
  ["Alt+C", "to the code"],
  ["Up, Down, Enter, F2, Delete, Backspace",
    "in a list of files: choose, open, rename, remove, up"],
  ["Shift+Escape", "out of the terminal"],
  ["Alt+/", "this list"],
];

function showKeys() {
  show("Keys", element("dl", { class: "keys" }, ...SHORTCUTS.flatMap(([names, what]) => [
    element("dt", {}, ...names.split(", ").flatMap((name, i) => [i ? " " : "",
      element("kbd", {}, name)])), element("dd", {}, what)])));
}

const WITH_ALT = {
  KeyN: () => createNew(),
  KeyC: async () => {
    await showTab("console");
    chosen?.console.editor.area.focus();
  },
  KeyS: () => (chosen?.choice ?? byId("new")).focus(),
  Slash: () => showKeys(),
};
TABS.forEach((name, i) => {
  WITH_ALT[`Digit${i + 1}`] = async () => {
    await showTab(name);
    byId(`tab-${name}`).focus();
  };
});

function onKey(event) {
  if (byId("inside").hidden || byId("dialog").open) return;
  if (event.altKey && !event.ctrlKey && !event.metaKey && Object.hasOwn(WITH_ALT, event.code)) {
    event.preventDefault();
    attempt(WITH_ALT[event.code]);
  } else if (event.ctrlKey && event.key === "." && chosen) {
    event.preventDefault();
    chosen.console.interrupt();
  }
}

// From one to the next with the arrows, as lists and tabs have it.
function onArrows(event, nodes, act) {
  const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  const at = nodes.indexOf(document.activeElement);
  if (!Object.hasOwn(steps, event.key) || at < 0 || event.altKey || event.ctrlKey) return;
  event.preventDefault();
  const next = nodes[(at + steps[event.key] + nodes.length) % nodes.length];
  next.focus();
  act?.(next);
}

// ---- all of it ----

function begin() {
  showTheme(sessionStorage.getItem("codecell-theme") ?? "auto");
  makeHead();
  byId("theme").addEventListener("click", nextTheme);
  byId("help").addEventListener("click", showKeys);
  byId("leave").addEventListener("click", () => leave());
  byId("login").addEventListener("submit", logIn);
  for (const id of ["new", "first"]) {
    byId(id).addEventListener("click", () => attempt(createNew));
  }
  for (const name of TABS) {
    byId(`tab-${name}`).addEventListener("click", () => attempt(() => showTab(name)));
  }
  byId("tabs").addEventListener("keydown", (event) => onArrows(event,
    TABS.map((name) => byId(`tab-${name}`)), (tab) => tab.click()));
  byId("sandboxes").addEventListener("keydown", (event) => onArrows(event,
    [...byId("sandboxes").querySelectorAll(".choice")]));
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) live.stop();
    else if (!byId("inside").hidden) live.begin();
  });
  takeKey();
  if (key || document.documentElement.dataset.key === "none") enter();
  else leave();
}

addEventListener("hashchange", () => {
  takeKey();
  if (key) {
    live.stop();
    enter();
  }
});
begin();
