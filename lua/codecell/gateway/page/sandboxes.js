// The sandboxes: the list of them, the one that is looked at, and what can be done with it.

const SAMPLES = 60;
const spaces = new Map(); // by id
let chosen = null;

/** A sandbox as the page has it: what was told of it, and its console, files, terminal, events. */
class Space {
  constructor(id) {
    this.id = id;
    this.samples = [];
    this.events = new Events();
    this.console = new Console(this);
    this.files = new Files(this);
    this.terminal = new Terminal(this);
    this.shown = "console";
    this.item = this.makeItem();
  }

  /** What may be asked of it; not while it is paused. */
  use() {
    if (this.told.state === "paused" || !this.access) {
      throw new Failure("The sandbox is paused: resume it first.");
    }
    return this.access;
  }

  get name() {
    return cut(this.told.metadata?.name || this.id, 60);
  }

  makeItem() {
    const part = (name) => element("span", { class: name });
    this.parts = { dot: part("dot"), title: part("title"), left: part("left"), id: part("id") };
    this.meters = element("span", { class: "meters" });
    this.choice = button("", () => choose(this.id), { class: "choice" });
    this.choice.append(this.parts.dot, this.parts.title, this.parts.left, this.parts.id,
      this.meters);
    return element("li", {}, this.choice);
  }

  tell(told) {
    this.told = told;
    this.samples.push(told.state === "running" ? told.cpuUsed ?? 0 : 0);
    if (this.samples.length > SAMPLES) this.samples.shift();
    this.parts.dot.className = `dot ${told.state}`;
    this.parts.title.textContent = this.name;
    this.parts.left.textContent = told.state === "paused" ? "paused"
      : clockText(told.endsAt - live.now());
    this.parts.id.textContent = `${this.id.slice(0, 10)}… · ${cut(told.template, 30)}`;
    this.meters.replaceChildren(...metersOf(told, this.samples, false));
    this.choice.setAttribute("aria-label", `${this.name}, ${told.state}, ${
      clockText(told.endsAt - live.now())} left`);
  }
}

// ---- use ----

function sparkline(samples) {
  const most = Math.max(100, ...samples);
  const points = samples.map((value, i) => `${((i + SAMPLES - samples.length) / (SAMPLES - 1) * 60)
    .toFixed(1)},${(17 - (value / most) * 15).toFixed(1)}`);
  return shape("svg", { class: "spark", viewBox: "0 0 60 18", "aria-hidden": "true" },
    shape("polyline", { points: points.join(" ") }));
}

function meter(label, used, whole, text) {
  const share = whole > 0 && used > 0 ? Math.min(used / whole, 1) : 0;
  const fill = element("i", { class: share > 0.9 ? "full" : null });
  fill.style.width = `${(share * 100).toFixed(1)}%`;
  return element("span", { class: "meter", title: `${label}: ${text}` },
    element("small", {}, label), element("span", { class: "track" }, fill),
    element("span", { class: "value" }, text));
}

function metersOf(told, samples, isWhole) {
  const percent = `${Math.round(told.cpuUsed ?? 0)} %`;
  const of = (used, whole) => isWhole ? `${bytesText(used)} of ${bytesText(whole)}`
    : bytesText(used);
  return [
    element("span", { class: "meter", title: `cpu: ${percent} of one core` },
      element("small", {}, "cpu"), sparkline(samples),
      element("span", { class: "value" }, percent)),
    meter("memory", told.memoryUsed, told.memoryTotal, of(told.memoryUsed, told.memoryTotal)),
    meter("disk", told.diskUsed, told.diskTotal, of(told.diskUsed, told.diskTotal)),
  ];
}

// ---- the one that is looked at ----

const head = {
  title: element("h2"), state: element("span", { class: "state" }),
  id: element("code", { class: "about" }), about: element("span", { class: "about" }),
  left: element("span", { class: "left" }), meters: element("div", { class: "meters" }),
  pause: button("Pause", () => pauseOrResume()),
  extend: element("select", { "aria-label": "Give it time", change: () => attempt(extend) }),
  kill: button("Kill", () => kill(), { class: "bad" }),
};

function makeHead() {
  head.extend.append(...[["", "Time…"], ["300", "5 minutes from now"], ["3600", "1 hour from now"],
    ["28800", "8 hours from now"], ["86400", "1 day from now"]].map(([value, label]) =>
    element("option", { value }, label)));
  byId("head").append(element("div", { class: "row" }, head.title, head.state, head.id,
    head.about, element("span", { class: "space" }), element("span", { class: "verbs" },
    head.extend, head.pause, head.kill)), head.meters);
}

const NETWORKS = { none: "no network", open: "open network", some: "network by rules" };

function showHead() {
  const { told } = chosen;
  head.title.textContent = chosen.name;
  head.id.textContent = chosen.id;
  head.state.textContent = told.state;
  head.state.className = `state ${told.state === "running" ? "good" : "warn"}`;
  head.about.textContent = `${cut(told.template, 40)} · ${NETWORKS[told.network] ?? ""} · ${
    told.processes === 1 ? "1 process" : `${told.processes ?? 0} processes`}`;
  head.pause.textContent = told.state === "paused" ? "Resume" : "Pause";
  const time = element("span", { class: "meter" }, element("small", {}, "time left"),
    element("span", { class: "value" }, told.state === "paused" ? "–"
      : clockText(told.endsAt - live.now())));
  head.meters.replaceChildren(...metersOf(told, chosen.samples, true), time);
  const badge = byId("refusals");
  badge.hidden = chosen.events.refusals === 0;
  badge.textContent = String(chosen.events.refusals);
  badge.setAttribute("aria-label", `${chosen.events.refusals} refusals`);
}

/** Look at a sandbox. */
async function choose(id) {
  const space = spaces.get(id);
  if (!space) return;
  chosen = space;
  for (const other of spaces.values()) {
    other.choice.setAttribute("aria-current", String(other === space));
  }
  for (const part of ["head", "tabs"]) byId(part).hidden = false;
  byId("welcome").hidden = true;
  for (const part of ["console", "files", "terminal", "events"]) {
    byId(part).replaceChildren(space[part].node);
  }
  showHead();
  await connect(space);
  await showTab(space.shown);
}

// The tokens of one that runs. A second is the least that can be asked for: none is taken away.
async function connect(space) {
  if (space.access || space.told.state !== "running") return;
  space.access = new Access(await control("POST", `/sandboxes/${space.id}/connect`,
    { timeout: 1 }));
  await space.console.refreshContexts();
}

const TABS = ["console", "files", "terminal", "events"];

/** Show one of its four sides. */
async function showTab(name) {
  if (!chosen) return;
  chosen.shown = name;
  for (const tab of TABS) {
    byId(tab).hidden = tab !== name;
    byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  if (name === "files" && chosen.files.isOld) await chosen.files.refresh();
  if (name === "terminal") chosen.terminal.fit();
}

// ---- verbs ----

async function pauseOrResume() {
  const space = chosen;
  if (space.told.state === "paused") {
    const left = Math.max(Math.ceil(space.told.endsAt - live.now()), 300);
    space.access = new Access(await control("POST", `/sandboxes/${space.id}/connect`,
      { timeout: left }));
    announce("It goes on");
  } else {
    await control("POST", `/sandboxes/${space.id}/pause`, {});
    announce("It is paused");
  }
}

async function extend() {
  const seconds = Number(head.extend.value);
  head.extend.value = "";
  if (seconds > 0) {
    await control("POST", `/sandboxes/${chosen.id}/timeout`, { timeout: seconds });
    notify(`It has ${clockText(seconds)} from now on`, "good");
  }
}

async function kill() {
  const space = chosen;
  if (await askWhether(`Kill ${space.name}?`, "It ends at once, with its files and all that runs.",
    "Kill")) {
    await control("DELETE", `/sandboxes/${space.id}`);
    announce("It was killed");
  }
}

function option(name, label, value, about, attributes) {
  const input = element("input", { name, value, autocomplete: "off", ...attributes });
  return element("label", {}, label, input, about ? element("small", {}, about) : null);
}

function networkOf(answer) {
  const names = String(answer.get("names") ?? "").split(/[\s,]+/).filter(Boolean);
  if (answer.get("network") === "open") return { allow_internet_access: true };
  if (answer.get("network") === "none") return { allow_internet_access: false };
  return { allow_internet_access: false, network: { allowOut: names } };
}

/** Ask what is wanted of a new one, and make it. */
async function createNew() {
  const templates = await control("GET", "/v2/templates");
  const choice = (name, pairs) => element("select", { name }, ...pairs.map(([value, label]) =>
    element("option", { value }, label)));
  const names = option("names", "Names and addresses that it may reach", "", null,
    { spellcheck: "false", placeholder: "pypi.org, *.example.com, 198.51.100.7" });
  names.hidden = true;
  const network = choice("network", [["none", "none"], ["some", "only what is named here"],
    ["open", "open"]]);
  network.addEventListener("change", () => {
    names.hidden = network.value !== "some";
  });
  const answer = await ask("New sandbox", [
    option("name", "Name", "", null, { maxlength: "60" }),
    element("label", {}, "Template", choice("template", templates.map((one) =>
      [one.templateID, one.templateID]))),
    option("minutes", "Minutes that it lives", "30", null, { type: "number", min: "1",
      max: "1440", required: true }),
    element("label", {}, "Network", network),
    names,
  ], "Make it");
  if (!answer) return;
  const name = answer.get("name").trim();
  const made = await control("POST", "/sandboxes", { templateID: answer.get("template"),
    timeout: Math.round(Number(answer.get("minutes")) * 60), secure: true,
    metadata: name ? { name } : {}, ...networkOf(answer) });
  live.wanted = made.sandboxID;
  announce("The sandbox was made");
}
