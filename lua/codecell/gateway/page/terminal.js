// A terminal in a sandbox, with a shell in it.

const DRAWN_EVERY = 25; // milliseconds
const DRAWN_IN_HASTE = 150; // where much comes
const HASTE = 200; // lines since the last drawing
const LEAST_ROWS = 6;
const LEAST_COLUMNS = 20;

class Terminal {
  constructor(space) {
    this.space = space;
    this.screen = new Screen(24, 80);
    this.above = element("div", { class: "above" });
    this.visible = element("div");
    this.input = element("textarea", { class: "typed", rows: "1", autocapitalize: "off",
      autocomplete: "off", spellcheck: "false", "aria-label": "Terminal input",
      "aria-describedby": "terminal-leave", keydown: (event) => this.onKey(event),
      input: () => this.onInput(), paste: (event) => this.onPaste(event) });
    this.view = element("div", { class: "screen", mouseup: () => {
      if (getSelection().isCollapsed) this.input.focus();
    } }, this.above, this.visible, this.input);
    this.state = element("span", { class: "about" });
    this.starting = button("Start a shell", () => this.start(), { class: "main" });
    this.ending = button("End it", () => this.end(), { hidden: true });
    this.node = element("div", { class: "terminal" }, element("div", { class: "row" },
      this.starting, this.ending, this.state, element("span", { class: "space" }),
      element("span", { id: "terminal-leave", class: "about" },
        "Shift+Escape leaves the terminal")), this.view);
    this.pending = "";
    this.drawnAbove = 0;
    new ResizeObserver(() => this.fit()).observe(this.view);
  }

  // ---- its life ----

  async start() {
    this.space.use();
    this.controller = new AbortController();
    this.screen = new Screen(this.screen.rows, this.screen.columns);
    this.above.replaceChildren();
    this.drawnAbove = 0;
    this.measure();
    const size = { rows: this.screen.rows, cols: this.screen.columns };
    const messages = await this.space.use().stream("process.Process/Start", {
      process: { cmd: "/bin/bash", args: ["-i", "-l"], envs: { TERM: "xterm-256color",
        LANG: "C.UTF-8", LC_ALL: "C.UTF-8" } }, pty: { size } }, this.controller.signal);
    this.starting.hidden = true;
    this.ending.hidden = false;
    this.state.textContent = "running";
    this.input.focus();
    this.follow(messages);
  }

  async follow(messages) {
    const decoder = new TextDecoder();
    let ended = "the connection was broken off";
    try {
      for await (const { event } of messages) {
        if (event?.start) this.pid = event.start.pid;
        if (event?.data?.pty) {
          this.screen.write(decoder.decode(fromBase64(event.data.pty), { stream: true }),
            (text) => this.send(text));
          this.draw();
        }
        if (event?.end) ended = event.end.status ?? "ended";
      }
    } catch (problem) {
      if (problem.name !== "AbortError") ended = problem.message;
    }
    this.pid = null;
    this.starting.hidden = false;
    this.ending.hidden = true;
    this.state.textContent = `The shell has ended: ${cut(ended, 200)}`;
    announce(this.state.textContent);
    this.draw();
  }

  get process() {
    return { process: { pid: this.pid } };
  }

  async end() {
    if (this.pid) {
      await this.space.use().call("process.Process/SendSignal",
        { ...this.process, signal: "SIGNAL_SIGKILL" });
    }
  }

  // ---- what is typed: in its order, one request after the other ----

  send(text) {
    this.pending += text;
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
  }

  async sendAll() {
    while (this.pending && this.pid) {
      const bytes = new TextEncoder().encode(this.pending);
      this.pending = "";
      await attempt(() => this.space.use().call("process.Process/SendInput",
        { ...this.process, input: { pty: toBase64(bytes) } }));
    }
    this.pending = "";
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" && event.shiftKey) {
      event.preventDefault();
      byId("tab-terminal").focus();
      return;
    }
    if (event.altKey && /^[1-4n/]$/i.test(event.key)) return; // of the page
    const text = keyText(event, this.screen.cursorKeys);
    if (text === null || !this.pid) return;
    if (event.ctrlKey && event.key.toLowerCase() === "c" && !getSelection().isCollapsed) return;
    event.preventDefault();
    event.stopPropagation();
    this.send(text);
  }

  onInput() {
    if (this.input.value && this.pid) this.send(this.input.value);
    this.input.value = "";
  }

  onPaste(event) {
    event.preventDefault();
    // What would end the brackets around a paste is no part of it.
    const text = event.clipboardData.getData("text").replaceAll("\x1b", "").replace(/\r?\n/g, "\r");
    if (this.pid) this.send(this.screen.bracketed ? `\x1b[200~${text}\x1b[201~` : text);
  }

  // ---- what is seen ----

  measure() {
    const probe = element("span", { class: "probe" }, "0".repeat(10));
    this.view.append(probe);
    const { width, height } = probe.getBoundingClientRect();
    probe.remove();
    if (!width || this.view.clientWidth < 50) return false;
    const rows = Math.max(Math.floor((this.view.clientHeight - 12) / height), LEAST_ROWS);
    const fitting = Math.floor((this.view.clientWidth - 20) / (width / 10));
    const columns = Math.max(fitting, LEAST_COLUMNS);
    const changed = rows !== this.screen.rows || columns !== this.screen.columns;
    if (changed) this.screen.resize(Math.min(rows, 200), Math.min(columns, 400));
    return changed;
  }

  fit() {
    if (!this.measure() || !this.pid) return;
    this.draw();
    clearTimeout(this.fitting);
    this.fitting = setTimeout(() => attempt(() => this.space.use().call("process.Process/Update",
      { ...this.process, pty: { size: { rows: this.screen.rows, cols: this.screen.columns } } })),
    150);
  }

  draw() {
    const isMuch = this.screen.scrolled - this.drawnAbove > HASTE;
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      this.drawNow();
    }, isMuch ? DRAWN_IN_HASTE : DRAWN_EVERY);
  }

  line(cells, cursor) {
    const made = element("div");
    let [text, look] = ["", null];
    const flush = () => {
      if (text) made.append(looking(text, look));
      text = "";
    };
    cells.forEach((cell, i) => {
      if (i === cursor) {
        flush();
        made.append(element("span", { class: "cursor" }, cell.text));
      } else {
        if (cell.look !== look) flush();
        look = cell.look;
        text += cell.text;
      }
    });
    if (look !== null && isPlain(look)) text = text.trimEnd();
    flush();
    if (!made.firstChild) made.append(" ");
    return made;
  }

  drawNow() {
    const { above, lines, row, column, scrolled, cursorShown } = this.screen;
    const isAtEnd = this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight < 60;
    const fresh = Math.min(scrolled - this.drawnAbove, above.length);
    if (above.length === 0) this.above.replaceChildren();
    for (const line of fresh > 0 ? above.slice(-fresh) : []) this.above.append(this.line(line));
    while (this.above.children.length > SCROLLED_MOST) this.above.firstChild.remove();
    this.drawnAbove = scrolled;
    this.visible.replaceChildren(...lines.map((line, i) =>
      this.line(line, cursorShown && this.pid && i === row ? column : -1)));
    this.input.style.top = `${this.visible.offsetTop + row * 18}px`;
    if (isAtEnd) this.view.scrollTop = this.view.scrollHeight;
  }
}
