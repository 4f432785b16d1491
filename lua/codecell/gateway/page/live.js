// What the gateway tells as it happens: the sandboxes with their use, and what is told of them.

const AGAIN = [500, 1000, 2000, 5000]; // milliseconds between attempts to be connected

const live = {
  languages: [],
  wanted: null, // a sandbox that was just made: it is looked at as soon as it is in the list
  skew: 0, // seconds that the gateway's clock is before this one's

  now() {
    return Date.now() / 1000 + this.skew;
  },

  show(kind, text) {
    byId("connection").className = `state ${kind}`;
    byId("connection").textContent = text;
  },

  hear(message) {
    if (message.type === "hello") {
      this.languages = message.languages;
      for (const space of spaces.values()) space.console.setLanguages(message.languages);
    } else if (message.type === "sandboxes") this.hearList(message);
    else if (message.type === "log") this.hearLog(message);
  },

  hearList({ sandboxes, count, at }) {
    if (Math.abs(at - this.now()) > 2) this.skew = at - Date.now() / 1000;
    const ids = new Set(sandboxes.map((told) => told.id));
    for (const [id, space] of spaces) {
      if (!ids.has(id)) this.forget(id, space);
    }
    const parent = byId("sandboxes");
    sandboxes.forEach((told, i) => {
      if (!spaces.has(told.id)) spaces.set(told.id, new Space(told.id));
      const space = spaces.get(told.id);
      space.tell(told);
      if (parent.children[i] !== space.item) parent.insertBefore(space.item, parent.children[i]);
    });
    byId("count").textContent = count > 0 ? String(count) : "";
    byId("none").hidden = count > 0;
    byId("welcome").hidden = Boolean(chosen);
    if (chosen) showHead();
    if (chosen && !chosen.access) attempt(() => connect(chosen));
    if (this.wanted && spaces.has(this.wanted)) {
      const id = this.wanted;
      this.wanted = null;
      attempt(async () => {
        await choose(id);
        await showTab("console");
        chosen.console.editor.area.focus();
      });
    }
  },

  forget(id, space) {
    spaces.delete(id);
    const hadFocus = space.item.contains(document.activeElement);
    space.item.remove();
    if (space !== chosen) return;
    chosen = null;
    notify(`The sandbox ${space.name} is gone`);
    for (const part of ["head", "tabs", ...TABS]) byId(part).hidden = true;
    byId("welcome").hidden = false;
    if (hadFocus || document.activeElement === document.body) byId("new").focus();
  },

  hearLog(entry) {
    const space = spaces.get(entry.sandbox);
    if (!space || entry.number <= (space.heard ?? 0)) return;
    space.heard = entry.number;
    space.events.add(entry);
    if (isRefusal(entry) && this.isFollowing) {
      space.console.refused(entry);
      if (space !== chosen) notify(`${space.name}: ${entry.message}`, "warn");
      else announce(entry.message);
    }
    if (space === chosen) showHead();
  },

  // Until the page is hidden, or the key is none.
  async follow() {
    const response = await send("/codecell/live", { headers: ownHeaders(),
      signal: this.controller.signal });
    this.show("good", "live");
    this.attempts = 0;
    this.isFollowing = false;
    for await (const message of jsonLines(response)) {
      this.hear(message);
      if (message.type === "sandboxes") setTimeout(() => {
        this.isFollowing = true;
      });
    }
    throw new Failure("The gateway has closed the connection", 0);
  },

  /** Be connected for as long as the page is seen: a browser has few connections to one place. */
  async begin() {
    if (this.controller) return;
    this.controller = new AbortController();
    this.attempts = 0;
    const { signal } = this.controller;
    while (!signal.aborted) {
      try {
        await this.follow();
      } catch (problem) {
        if (signal.aborted) break;
        if (problem.status === 401) {
          this.stop();
          leave("This is not the key of the gateway.");
          break;
        }
        this.show("bad", "not connected");
      }
      const pause = AGAIN[Math.min(this.attempts, AGAIN.length - 1)];
      this.attempts += 1;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  },

  stop() {
    this.controller?.abort();
    this.controller = null;
    this.show("", "");
  },
};
