// The console of a sandbox: code goes in below, executions are kept above.

const CELLS_MOST = 60;
const AT_ONCE = 2; // a browser has six connections to one place, for everything

class Console {
  constructor(space) {
    this.space = space;
    this.cells = [];
    this.waiting = [];
    this.isAtEnd = true;
    this.log = element("div", { class: "cells", role: "feed", "aria-label": "Executions",
      scroll: () => {
        const { scrollHeight, scrollTop, clientHeight } = this.log;
        this.isAtEnd = scrollHeight - scrollTop - clientHeight < 40;
      } });
    this.language = element("select", { "aria-label": "Language", change: () => this.chosen() });
    this.context = element("select", { "aria-label": "Context" });
    this.editor = new Editor({ run: () => attempt(() => this.run()),
      language: () => this.language.value });
    this.runs = button("Run", () => this.run(), { class: "main",
      "aria-keyshortcuts": "Control+Enter", title: "Ctrl+Enter" });
    this.tools = element("span", { class: "tools" },
      button("New context", () => this.newContext(), { class: "quiet" }),
      button("Restart", () => this.changeContext("restart"), { class: "quiet",
        title: "Forget its variables" }),
      button("Remove", () => this.changeContext("remove"), { class: "quiet" }));
    this.node = element("div", { class: "console" }, this.log,
      element("form", { class: "composer", submit: (event) => event.preventDefault() },
        this.editor.area,
        element("div", { class: "row" }, this.language, this.context, this.tools,
          button("Example", () => this.example(), { class: "quiet" }),
          element("span", { class: "space" }), this.runs)));
    this.setLanguages(live.languages);
  }

  setLanguages(names) {
    const before = this.language.value || sessionStorage.getItem("codecell-language") || "python";
    this.language.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    this.language.value = names.includes(before) ? before : names[0] ?? "";
    this.showContexts();
  }

  chosen() {
    sessionStorage.setItem("codecell-language", this.language.value);
    this.showContexts();
  }

  // ---- contexts ----

  async refreshContexts() {
    const response = await this.space.use().code("GET", "/contexts");
    const all = await response.json();
    this.contexts = Array.isArray(all) ? all : [];
    this.showContexts();
  }

  showContexts(wanted) {
    const before = wanted ?? this.context.value;
    const own = (this.contexts ?? []).filter((one) => one.language === this.language.value);
    this.context.replaceChildren(element("option", { value: "" }, "default context"),
      ...own.map((one) => element("option", { value: one.id },
        `${cut(one.id, 8)} in ${cut(one.cwd, 40)}`)));
    this.context.value = own.some((one) => one.id === before) ? before : "";
  }

  async newContext() {
    const cwd = await askText("New context", "Folder", "/home/user", "Make");
    if (cwd === null) return;
    const response = await this.space.use().code("POST", "/contexts",
      { language: this.language.value, cwd });
    const made = await response.json();
    await this.refreshContexts();
    this.showContexts(made.id);
    announce("The context was made");
  }

  async changeContext(verb) {
    const id = this.context.value;
    if (!id) throw new Failure("Choose a context: the default one is restarted as the first of "
      + "its language in the list, once it has run code.");
    await this.space.use().code(verb === "remove" ? "DELETE" : "POST",
      `/contexts/${encodeURIComponent(id)}${verb === "remove" ? "" : "/restart"}`);
    await this.refreshContexts();
    announce(verb === "remove" ? "The context was removed" : "The context was restarted");
  }

  // ---- running ----

  example() {
    this.editor.text = EXAMPLES[this.language.value] ?? "";
    this.editor.area.focus();
  }

  edit(cell) {
    this.editor.text = cell.code;
    this.language.value = cell.language;
    this.chosen();
    this.editor.area.focus();
  }

  run() {
    const code = this.editor.text;
    if (!code.trim()) return;
    this.space.use();
    const [language, context] = [this.language.value, this.context.value];
    const cell = new Cell(code, language, context, { edit: (one) => this.edit(one) });
    this.editor.remember(code);
    this.editor.text = "";
    this.cells.push(cell);
    this.log.append(cell.node);
    while (this.log.children.length > CELLS_MOST) this.log.firstChild.remove();
    this.cells = this.cells.filter((one) => one.node.isConnected || one.isRunning);
    this.isAtEnd = true;
    this.toEnd();
    this.waiting.push([cell, context ? { code, context_id: context } : { code, language }]);
    this.next();
  }

  // What is printed pushes the end away, until whoever looks has gone up.
  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  get running() {
    return this.cells.filter((one) => one.isStarted && one.isRunning);
  }

  next() {
    while (this.waiting.length > 0 && this.running.length < AT_ONCE) {
      const [cell, body] = this.waiting.shift();
      cell.isStarted = true;
      this.start(cell, body);
    }
  }

  async start(cell, body) {
    const follow = new ResizeObserver(() => this.isAtEnd && this.toEnd());
    follow.observe(cell.output);
    await cell.run(this.space.access, body);
    setTimeout(() => follow.disconnect(), 1000);
    this.next();
    await this.refreshContexts().catch(() => {});
    this.space.files.isOld = true;
    if (this.space.shown === "files") attempt(() => this.space.files.refresh());
  }

  /** Ctrl+. : the newest that runs. */
  interrupt() {
    this.cells.findLast((one) => one.isRunning)?.interrupt();
  }

  /** A refusal is shown where it belongs, as far as is known: in what runs now. */
  refused(entry) {
    const running = this.running.at(-1);
    const last = this.cells.at(-1);
    const isFresh = last && performance.now() - last.began < 5000;
    (running ?? (isFresh ? last : null))?.refused(entry);
  }
}
