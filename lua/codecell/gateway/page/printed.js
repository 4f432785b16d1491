// What code prints, as it comes: colours, lines that overwrite themselves, and a bound.

const KEPT_MOST = 300000; // characters that stay on the page
const LINE_KEPT = 20000;
const WAITING_MOST = 1000000; // characters between two looks
const LOOK_EVERY = 33; // milliseconds
const RETURNS_SEEN = 16; // of one line: the last ones

// "10 %\r20 %" is "20 %": what comes after a return lies over what was there.
function overwritten(line) {
  if (!line.includes("\r")) return line;
  let shown = "";
  for (const piece of line.split("\r").slice(-RETURNS_SEEN)) {
    shown = piece + (piece.includes("\x1b") ? "" : shown.slice(piece.length));
  }
  return shown;
}

class Printed {
  constructor(kind) {
    this.left = element("span", { class: "left", hidden: true });
    this.body = element("span");
    this.line = element("span");
    this.node = element("pre", { class: `printed ${kind}`, tabindex: "0",
      "aria-label": kind === "stderr" ? "standard error" : "output", scroll: () => this.moved() },
    this.left, this.body, this.line);
    this.isAtEnd = true;
    this.at = 0;
    this.look = PLAIN;
    this.waiting = "";
    this.rest = "";
    this.size = 0;
    this.lost = 0;
    this.timer = null;
  }

  add(text) {
    this.waiting += text;
    if (this.waiting.length > WAITING_MOST) {
      this.lost += this.waiting.length - KEPT_MOST;
      this.waiting = this.waiting.slice(-KEPT_MOST);
    }
    this.timer ??= setTimeout(() => this.flush(), LOOK_EVERY);
  }

  /** Show what has come. */
  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    const whole = this.rest + this.waiting;
    this.waiting = "";
    let end = whole.lastIndexOf("\n") + 1;
    if (whole.length - end > LINE_KEPT) end = whole.length;
    if (end > 0) this.keep(whole.slice(0, end));
    this.rest = whole.slice(end);
    this.line.replaceChildren(...coloured(overwritten(this.rest), this.look)[0]);
    this.bound();
    if (this.isAtEnd) this.toEnd();
  }

  // Its end is what is new, until whoever looks has gone up.
  toEnd() {
    this.node.scrollTop = this.node.scrollHeight;
    this.at = this.node.scrollTop;
  }

  moved() {
    const { scrollHeight, scrollTop, clientHeight } = this.node;
    if (scrollTop < this.at) this.isAtEnd = false;
    else if (scrollHeight - scrollTop - clientHeight < 40) this.isAtEnd = true;
    this.at = scrollTop;
  }

  keep(text) {
    const plain = text.includes("\r") ? text.replaceAll("\r\n", "\n").split("\n").map(overwritten)
      .join("\n") : text;
    const [nodes, look] = coloured(plain, this.look);
    this.look = look;
    this.size += plain.length;
    this.body.append(element("span", {}, ...nodes));
  }

  bound() {
    while (this.size > KEPT_MOST && this.body.firstChild) {
      const first = this.body.firstChild;
      const length = first.textContent.length;
      if (this.body.children.length === 1 && this.size - length < KEPT_MOST / 2) {
        const tail = first.textContent.slice(-KEPT_MOST / 2);
        first.replaceWith(element("span", {}, tail));
        this.lost += length - tail.length;
        this.size = tail.length;
        break;
      }
      this.lost += length;
      this.size -= length;
      first.remove();
    }
    this.left.hidden = this.lost === 0;
    this.left.textContent = `… ${bytesText(this.lost)} before this are not kept here\n`;
  }
}
