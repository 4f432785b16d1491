// The screen of a terminal: what programs write, and the sequences that move about on it.

const SCROLLED_MOST = 1000; // lines above the screen
const STRING_MOST = 4096; // characters of a sequence

// What terminals draw lines with, in place of letters.
const LINES = { j: "┘", k: "┐", l: "┌", m: "└", n: "┼", q: "─", t: "├", u: "┤", v: "┴", w: "┬",
  x: "│", a: "▒", "`": "◆", f: "°", g: "±", "~": "·", y: "≤", z: "≥" };

const BLANK = Object.freeze({ text: " ", look: PLAIN });

class Screen {
  constructor(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.above = [];
    this.scrolled = 0; // lines that have ever gone above
    this.reset();
  }

  reset() {
    this.lines = Array.from({ length: this.rows }, () => this.blankLine());
    this.row = this.column = 0;
    this.look = PLAIN;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.isWrapping = this.drawsLines = false;
    this.cursorShown = true;
    this.cursorKeys = false;
    this.bracketed = false;
    this.other = null;
    this.saved = null;
    this.state = "ground";
    this.sequence = "";
  }

  blankLine() {
    const look = this.look && this.look.back !== null ? { ...PLAIN, back: this.look.back } : PLAIN;
    const blank = look === PLAIN ? BLANK : { text: " ", look };
    return new Array(this.columns).fill(blank);
  }

  resize(rows, columns) {
    const fit = (lines) => {
      for (const line of lines) {
        while (line.length < columns) line.push(BLANK);
        line.length = columns;
      }
    };
    this.columns = columns;
    fit(this.lines);
    while (this.lines.length > rows) {
      if (this.row < this.lines.length - 1) this.lines.pop();
      else {
        this.keep(this.lines.shift());
        this.row -= 1;
      }
    }
    while (this.lines.length < rows) this.lines.push(this.blankLine());
    this.rows = rows;
    this.top = 0;
    this.bottom = rows - 1;
    this.row = Math.min(this.row, rows - 1);
    this.column = Math.min(this.column, columns - 1);
  }

  keep(line) {
    if (this.other) return;
    this.above.push(line);
    this.scrolled += 1;
    if (this.above.length > SCROLLED_MOST) this.above.shift();
  }

  // ---- moving ----

  scrollUp(count = 1) {
    for (let i = 0; i < Math.min(count, this.rows); i += 1) {
      const [gone] = this.lines.splice(this.top, 1);
      if (this.top === 0) this.keep(gone);
      this.lines.splice(this.bottom, 0, this.blankLine());
    }
  }

  scrollDown(count = 1) {
    for (let i = 0; i < Math.min(count, this.rows); i += 1) {
      this.lines.splice(this.bottom, 1);
      this.lines.splice(this.top, 0, this.blankLine());
    }
  }

  lineFeed() {
    if (this.row === this.bottom) this.scrollUp();
    else if (this.row < this.rows - 1) this.row += 1;
  }

  move(row, column) {
    this.row = Math.min(Math.max(row, 0), this.rows - 1);
    this.column = Math.min(Math.max(column, 0), this.columns - 1);
    this.isWrapping = false;
  }

  put(character) {
    if (this.isWrapping) {
      this.column = 0;
      this.lineFeed();
      this.isWrapping = false;
    }
    const text = this.drawsLines ? LINES[character] ?? character : character;
    this.lines[this.row][this.column] = { text, look: this.look };
    if (this.column === this.columns - 1) this.isWrapping = true;
    else this.column += 1;
  }

  erase(line, from, to) {
    const blank = this.blankLine();
    for (let i = from; i < Math.min(to, this.columns); i += 1) line[i] = blank[0];
  }

  eraseScreen(what) {
    if (what === 0) this.erase(this.lines[this.row], this.column, this.columns);
    if (what === 1) this.erase(this.lines[this.row], 0, this.column + 1);
    this.lines.forEach((line, i) => {
      const isMeant = what >= 2 || (what === 0 ? i > this.row : i < this.row);
      if (isMeant) this.erase(line, 0, this.columns);
    });
    if (what === 3) this.above = [];
  }

  swap(toOther) {
    if (toOther === Boolean(this.other)) return;
    if (toOther) {
      this.other = { lines: this.lines, row: this.row, column: this.column };
      this.lines = Array.from({ length: this.rows }, () => this.blankLine());
    } else {
      Object.assign(this, this.other);
      this.other = null;
      this.resize(this.rows, this.columns);
    }
  }

  // ---- reading ----

  /** Take what a program has written; answers for it are given to `reply`. */
  write(text, reply) {
    for (const character of text) this[this.state](character, reply);
  }

  ground(character) {
    const code = character.codePointAt(0);
    if (code >= 32 && code !== 127) this.put(character);
    else if (character === "\x1b") this.state = "escape";
    else if (character === "\n" || character === "\v" || character === "\f") this.lineFeed();
    else if (character === "\r") this.move(this.row, 0);
    else if (character === "\b") this.move(this.row, this.column - 1);
    else if (character === "\t") this.move(this.row, (Math.floor(this.column / 8) + 1) * 8);
  }

  escape(character) {
    this.state = "ground";
    this.sequence = "";
    if (character === "[") this.state = "control";
    else if (character === "]" || character === "P" || character === "_" || character === "^") {
      this.state = "string";
    } else if (character === "(") this.state = "letters";
    else if (")*+#%".includes(character)) this.state = "skip";
    else if (character === "7") this.save();
    else if (character === "8") this.restore();
    else if (character === "D") this.lineFeed();
    else if (character === "E") {
      this.column = 0;
      this.lineFeed();
    } else if (character === "M") {
      if (this.row === this.top) this.scrollDown();
      else this.move(this.row - 1, this.column);
    } else if (character === "c") this.reset();
  }

  skip() {
    this.state = "ground";
  }

  letters(character) {
    this.drawsLines = character === "0";
    this.state = "ground";
  }

  // A title and the like: nobody is told.
  string(character) {
    this.sequence += character;
    if (character === "\x07" || this.sequence.endsWith("\x1b\\")
      || this.sequence.length > STRING_MOST) this.state = "ground";
  }

  control(character, reply) {
    if (character === "\x1b") {
      this.state = "escape";
      return;
    }
    this.sequence += character;
    if (character >= "@" && character <= "~") {
      this.state = "ground";
      this.obey(character, reply);
    } else if (this.sequence.length > STRING_MOST) this.state = "ground";
  }

  save() {
    this.saved = { row: this.row, column: this.column, look: this.look };
  }

  restore() {
    const { row, column, look } = this.saved ?? { row: 0, column: 0, look: PLAIN };
    this.move(row, column);
    this.look = look;
  }

  obey(verb, reply) {
    const isPrivate = /^[?>=<]/.test(this.sequence);
    const words = this.sequence.slice(isPrivate ? 1 : 0, -1).split(/[;:]/)
      .map((word) => Math.min(Number.parseInt(word, 10) || 0, 9999));
    const first = words[0];
    const count = Math.max(first, 1);
    const verbs = {
      A: () => this.move(this.row - count, this.column),
      B: () => this.move(this.row + count, this.column),
      C: () => this.move(this.row, this.column + count),
      D: () => this.move(this.row, this.column - count),
      E: () => this.move(this.row + count, 0),
      F: () => this.move(this.row - count, 0),
      G: () => this.move(this.row, count - 1),
      "`": () => this.move(this.row, count - 1),
      d: () => this.move(count - 1, this.column),
      H: () => this.move(count - 1, Math.max(words[1] ?? 1, 1) - 1),
      f: () => this.move(count - 1, Math.max(words[1] ?? 1, 1) - 1),
      J: () => this.eraseScreen(first),
      K: () => this.erase(this.lines[this.row], first === 0 ? this.column : 0,
        first === 1 ? this.column + 1 : this.columns),
      X: () => this.erase(this.lines[this.row], this.column, this.column + count),
      P: () => this.shift(count, 0),
      "@": () => this.shift(0, count),
      L: () => this.within(() => this.scrollDown(count)),
      M: () => this.within(() => this.scrollUp(count)),
      S: () => this.scrollUp(count),
      T: () => this.scrollDown(count),
      r: () => {
        this.top = Math.min(count, this.rows) - 1;
        this.bottom = Math.min(words[1] || this.rows, this.rows) - 1;
        if (this.bottom <= this.top) [this.top, this.bottom] = [0, this.rows - 1];
        this.move(0, 0);
      },
      s: () => this.save(),
      u: () => this.restore(),
      m: () => {
        this.look = changeLook(this.look, words);
      },
      n: () => first === 6 && reply(`\x1b[${this.row + 1};${this.column + 1}R`),
      c: () => reply("\x1b[?6c"),
      h: () => {},
      l: () => {},
    };
    if (isPrivate && (verb === "h" || verb === "l")) this.setModes(words, verb === "h");
    else if (!isPrivate && Object.hasOwn(verbs, verb)) verbs[verb]();
  }

  shift(gone, come) {
    const line = this.lines[this.row];
    const blank = this.blankLine();
    line.splice(this.column, Math.min(gone, this.columns));
    line.splice(this.column, 0, ...blank.slice(0, Math.min(come, this.columns)));
    while (line.length < this.columns) line.push(blank[0]);
    line.length = this.columns;
  }

  // Lines come and go from the cursor on.
  within(action) {
    if (this.row < this.top || this.row > this.bottom) return;
    const top = this.top;
    this.top = this.row;
    const kept = this.other;
    this.other ??= {}; // nothing goes above
    action();
    this.other = kept;
    this.top = top;
  }

  setModes(words, isOn) {
    for (const word of words) {
      if (word === 1) this.cursorKeys = isOn;
      else if (word === 25) this.cursorShown = isOn;
      else if (word === 2004) this.bracketed = isOn;
      else if (word === 47 || word === 1047) this.swap(isOn);
      else if (word === 1049) {
        if (isOn) this.save();
        this.swap(isOn);
        if (!isOn) this.restore();
      }
    }
  }
}
