// Where code is written. Tab goes on to the next control, as everywhere on the page.

const INDENT = { python: "    ", default: "  " };
const HISTORY_MOST = 100;

class Editor {
  constructor(actions) {
    this.actions = actions;
    this.history = [];
    this.at = null;
    this.area = element("textarea", { id: "code", rows: "4", spellcheck: "false",
      autocapitalize: "off", autocomplete: "off", "aria-label": "Code",
      "aria-keyshortcuts": "Control+Enter", placeholder: "Code. Ctrl+Enter runs it.",
      keydown: (event) => this.onKey(event), input: () => this.fit() });
    this.area.setAttribute("wrap", "off");
  }

  get text() {
    return this.area.value;
  }

  set text(value) {
    this.area.value = value;
    this.fit();
  }

  fit() {
    const lines = this.area.value.split("\n").length;
    this.area.rows = Math.min(Math.max(lines + 1, 4), 18);
  }

  indent() {
    return INDENT[this.actions.language()] ?? INDENT.default;
  }

  /** Keep what was run, for Alt+Up. */
  remember(text) {
    if (this.history.at(-1) !== text) this.history.push(text);
    if (this.history.length > HISTORY_MOST) this.history.shift();
    this.at = null;
  }

  recall(step) {
    if (this.history.length === 0) return;
    if (this.at === null) {
      this.draft = this.text;
      this.at = this.history.length;
    }
    this.at = Math.min(Math.max(this.at + step, 0), this.history.length);
    this.text = this.history[this.at] ?? this.draft;
  }

  // As if it was typed: the browser can undo it.
  insert(text) {
    if (!document.execCommand("insertText", false, text)) {
      this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    }
    this.fit();
  }

  lineBefore() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    return before.slice(before.lastIndexOf("\n") + 1);
  }

  newLine() {
    const line = this.lineBefore();
    const deeper = /[:{([]\s*$/.test(line) ? this.indent() : "";
    this.insert(`\n${/^\s*/.exec(line)[0]}${deeper}`);
  }

  // The lines that are selected, further in or out.
  shift(isOut) {
    const { value, selectionStart, selectionEnd } = this.area;
    const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
    const unit = this.indent();
    const old = value.slice(from, selectionEnd).split("\n");
    const lines = old.map((line) => isOut ? line.replace(new RegExp(`^ {1,${unit.length}}`), "")
      : unit + line);
    this.area.setSelectionRange(from, selectionEnd);
    this.insert(lines.join("\n"));
    const end = from + lines.join("\n").length;
    const first = Math.max(selectionStart + lines[0].length - old[0].length, from);
    this.area.setSelectionRange(selectionStart === selectionEnd ? end : first, end);
  }

  onKey(event) {
    const isControl = event.ctrlKey || event.metaKey;
    if (event.isComposing) return;
    const line = this.lineBefore();
    const { selectionStart, selectionEnd } = this.area;
    if (event.key === "Enter" && (isControl || event.shiftKey)) this.actions.run();
    else if (event.key === "Enter" && !event.altKey) this.newLine();
    else if (isControl && event.key === "]") this.shift(false);
    else if (isControl && event.key === "[") this.shift(true);
    else if (event.altKey && event.key === "ArrowUp") this.recall(-1);
    else if (event.altKey && event.key === "ArrowDown") this.recall(1);
    else if (event.key === "Backspace" && selectionStart === selectionEnd && !isControl
      && line.length >= this.indent().length && /^ +$/.test(line)) {
      this.area.setSelectionRange(selectionStart - ((line.length - 1) % this.indent().length + 1),
        selectionEnd);
      document.execCommand("delete");
    } else return;
    event.preventDefault();
  }
}
