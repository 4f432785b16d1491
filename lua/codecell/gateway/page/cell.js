// One execution: its code, what comes of it as it comes, and how it ended.

const RESULTS_MOST = 100;
const SHOWN_MOST = 50000000; // characters of all results
const BLOCKS_MOST = 300; // of output: then standard error stands among the rest
const REFUSALS_MOST = 20;

class Cell {
  constructor(code, language, context, actions) {
    this.code = code;
    this.language = language;
    this.controller = new AbortController();
    this.began = performance.now();
    this.number = element("span", { class: "number" }, "·");
    this.state = element("span", { class: "state running" }, "waiting");
    this.interrupting = button("Interrupt", () => this.interrupt(), { class: "bad",
      "aria-keyshortcuts": "Control+." });
    this.output = element("div", { class: "output" });
    const about = context ? `${language} · ${context.slice(0, 8)}` : language;
    const tools = element("span", { class: "tools" }, this.interrupting,
      button("Edit", () => actions.edit(this), { class: "quiet" }),
      button("Copy", () => navigator.clipboard.writeText(code), { class: "quiet" }),
      button("Remove", () => {
        this.interrupt();
        this.node.remove();
      }, { class: "quiet" }));
    this.node = element("article", { class: "cell", "aria-label": `Execution, ${language}` },
      element("header", {}, this.number, element("span", { class: "about" }, about), this.state,
        tools),
      element("pre", { class: "code", tabindex: "0", "aria-label": "code" }, code), this.output);
    this.results = this.shown = this.refusals = 0;
    this.clock = setInterval(() => this.tick(), 250);
  }

  get isRunning() {
    return this.clock !== null;
  }

  tick() {
    this.tell("running", durationText(performance.now() - this.began));
  }

  tell(kind, text) {
    this.state.className = `state ${kind}`;
    this.state.textContent = text;
  }

  interrupt() {
    if (this.isRunning) this.controller.abort();
  }

  print(kind, text) {
    const isFull = this.output.children.length > BLOCKS_MOST;
    if (!this.last || (this.last.kind !== kind && !isFull)) {
      this.last?.printed.flush();
      const printed = new Printed(kind);
      this.last = { kind, printed };
      this.output.append(printed.node);
    }
    this.last.printed.add(text);
  }

  put(node) {
    this.last?.printed.flush();
    this.last = null;
    this.output.append(node);
  }

  hear(event) {
    if (event.type === "number_of_executions") {
      this.number.textContent = `[${Number(event.execution_count) || 0}]`;
    } else if (event.type === "stdout" || event.type === "stderr") {
      this.print(event.type, String(event.text ?? ""));
    } else if (event.type === "result") {
      this.hearResult(event);
    } else if (event.type === "error") {
      this.failed = true;
      this.put(this.failure(event));
    } else if (event.type === "end_of_execution") {
      this.isWhole = true;
    }
  }

  hearResult(event) {
    const size = Object.values(event).reduce((sum, value) =>
      sum + (typeof value === "string" ? value.length : 0), 0);
    if (this.isFull) return;
    this.results += 1;
    this.shown += size;
    this.isFull = this.results > RESULTS_MOST || this.shown > SHOWN_MOST;
    this.put(this.isFull ? element("p", { class: "about" },
      `Only the first ${this.results - 1} results are shown.`) : drawResult(event));
  }

  failure(event) {
    const name = cut(event.name, 200);
    const value = cut(event.value, 4000);
    const trace = element("pre", { tabindex: "0", "aria-label": "Traceback" },
      ...coloured(cut(event.traceback, 100000))[0]);
    setTimeout(() => {
      trace.scrollTop = trace.scrollHeight; // what happened is at the end
    });
    return element("div", { class: "failure", role: "alert" },
      element("p", {}, element("b", {}, name), value ? `: ${value}` : ""),
      event.traceback ? element("details", { open: true }, element("summary", {}, "Traceback"),
        trace) : null);
  }

  /** What the sandbox was refused while this ran. */
  refused(entry) {
    this.refusals += 1;
    if (this.refusals <= REFUSALS_MOST) this.put(refusalNote(entry));
  }

  end(kind, text) {
    clearInterval(this.clock);
    this.clock = null;
    this.last?.printed.flush();
    this.interrupting.remove();
    const time = durationText(performance.now() - this.began);
    this.tell(kind, `${text} · ${time}`);
    announce(`Execution ${text} after ${time}`);
  }

  /** Run it; what happens is shown and never thrown. */
  async run(access, body) {
    try {
      const response = await access.code("POST", "/execute", body, this.controller.signal);
      for await (const event of jsonLines(response)) this.hear(event);
      if (!this.isWhole) this.end("bad", "broken off: the sandbox has gone");
      else this.end(this.failed ? "bad" : "good", this.failed ? "failed" : "done");
    } catch (problem) {
      if (this.controller.signal.aborted) this.end("warn", "interrupted");
      else {
        this.put(element("p", { class: "problem" }, cut(problem.message, 2000)));
        this.end("bad", "not run to its end");
      }
    }
  }
}
