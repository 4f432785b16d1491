// What happened to a sandbox: its life, its processes, and what it was refused.

const EVENTS_MOST = 300;

function isRefusal(entry) {
  return entry.fields?.event === "refused";
}

/** A refusal where the code's own words are: what, why, and what would allow it. */
function refusalNote(entry) {
  const { what, why, allow, times } = entry.fields;
  return element("div", { class: "refusal", role: "status" },
    element("p", {}, element("b", {}, "Refused: "), element("bdi", {}, cut(what, 300)),
      ` – ${cut(why, 600)}`, Number(times) > 1 ? ` (${Number(times)} times)` : ""),
    allow ? element("p", { class: "about" }, "What would allow it: ",
      element("code", {}, cut(allow, 300))) : null);
}

class Events {
  constructor() {
    this.refusals = 0;
    this.body = element("tbody");
    this.onlyRefusals = element("input", { type: "checkbox", id: "only-refusals",
      change: () => this.node.classList.toggle("refusals-only", this.onlyRefusals.checked) });
    this.node = element("div", { class: "events" },
      element("div", { class: "row" }, element("label", { for: "only-refusals" },
        this.onlyRefusals, " refusals only")),
      element("div", { class: "scroll", tabindex: "0", role: "log", "aria-label": "Events" },
        element("table", {}, element("thead", {}, element("tr", {},
          ...["When", "What happened"].map((name) => element("th", { scope: "col" }, name)))),
        this.body)));
  }

  add(entry) {
    const refused = isRefusal(entry);
    const told = element("td");
    if (refused) told.append(refusalNote(entry));
    else {
      const about = Object.entries(entry.fields ?? {}).slice(0, 6)
        .map(([name, value]) => `${name} ${cut(value, 200)}`).join(", ");
      told.append(cut(entry.message, 1000), about ? element("small", {}, ` ${about}`) : "");
    }
    this.refusals += refused ? 1 : 0;
    const time = element("time", {}, momentHere(entry.at * 1000).slice(11));
    this.body.prepend(element("tr", { class: refused ? "refused" : null },
      element("td", { class: "when" }, time), told));
    while (this.body.children.length > EVENTS_MOST) this.body.lastChild.remove();
  }
}
