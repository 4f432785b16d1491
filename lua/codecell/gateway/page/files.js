// The files of a sandbox.

const VIEW_MOST = 262144; // bytes
const UPLOAD_MOST = 500000000;
const ENTRIES_MOST = 2000;
const PICTURES = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif",
  webp: "image/webp", svg: "image/svg+xml" };

function joined(folder, name) {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

function isFolder(entry) {
  return entry.type === "FILE_TYPE_DIRECTORY";
}

class Files {
  constructor(space) {
    this.space = space;
    this.folder = "/home/user";
    this.isOld = true;
    this.crumbs = element("nav", { class: "crumbs", "aria-label": "Folder" });
    this.body = element("tbody", { keydown: (event) => this.onKey(event) });
    this.viewed = element("div", { class: "viewed", hidden: true });
    this.input = element("input", { type: "file", multiple: true, hidden: true, id: "upload",
      "aria-label": "Files to upload",
      change: () => attempt(() => this.upload(this.input.files)) });
    this.node = element("div", { class: "files", dragover: (event) => event.preventDefault(),
      drop: (event) => {
        event.preventDefault();
        attempt(() => this.upload(event.dataTransfer.files));
      } },
    element("div", { class: "row" }, this.crumbs, element("span", { class: "space" }),
      button("Upload", () => this.input.click(), { title: "Or drop files here" }),
      button("New folder", () => this.newFolder()),
      button("Refresh", () => this.refresh(), { class: "quiet" }), this.input),
    element("div", { class: "scroll" }, element("table", {}, element("thead", {},
      element("tr", {}, ...["Name", "Size", "Changed", "Rights", ""].map((name) =>
        element("th", { scope: "col" }, name)))), this.body)), this.viewed);
  }

  async refresh() {
    this.isOld = false;
    const folder = this.folder;
    const told = await this.space.use().call("filesystem.Filesystem/ListDir",
      { path: folder, depth: 1 });
    if (folder !== this.folder) return;
    const entries = (told.entries ?? []).slice(0, ENTRIES_MOST);
    entries.sort((left, right) => isFolder(right) - isFolder(left)
      || left.name.localeCompare(right.name, undefined, { numeric: true }));
    this.entries = entries;
    this.showCrumbs();
    const focused = this.body.contains(document.activeElement)
      ? document.activeElement.closest("tr")?.dataset.name : null;
    this.body.replaceChildren(...entries.map((entry) => this.row(entry)));
    if (entries.length === 0) {
      this.body.append(element("tr", {}, element("td", { colspan: "5", class: "empty" },
        "Nothing is in this folder.")));
    }
    if (focused) this.rowNamed(focused)?.querySelector("button").focus();
  }

  rowNamed(name) {
    return [...this.body.children].find((row) => row.dataset.name === name);
  }

  showCrumbs() {
    const parts = this.folder.split("/").filter(Boolean);
    const crumb = (label, path) => button(label, () => this.open(path), { class: "quiet" });
    this.crumbs.replaceChildren(crumb("/", "/"), ...parts.flatMap((name, i) => [
      i > 0 ? element("span", { "aria-hidden": "true" }, "/") : "",
      crumb(name, `/${parts.slice(0, i + 1).join("/")}`)]));
  }

  row(entry) {
    const what = isFolder(entry) ? "folder" : "file";
    const name = element("bdi", {}, isFolder(entry) ? `${entry.name}/` : entry.name);
    const opening = button("", () => this.enter(entry), { class: "name",
      "aria-label": `${what} ${entry.name}` });
    if (entry.symlinkTarget) name.append(element("small", {}, ` → ${entry.symlinkTarget}`));
    opening.append(name);
    const action = (label, called) => button(label, () => called(entry), { class: "quiet",
      "aria-label": `${label} ${entry.name}` });
    return element("tr", { "data-name": entry.name }, element("td", {}, opening),
      element("td", { class: "number" }, isFolder(entry) ? "" : bytesText(entry.size)),
      element("td", {}, entry.modifiedTime ? momentHere(Date.parse(entry.modifiedTime)) : ""),
      element("td", { class: "rights" }, entry.permissions ?? ""),
      element("td", { class: "tools" }, isFolder(entry) ? "" : action("Save", (one) =>
        this.save(one)), action("Rename", (one) => this.rename(one)),
      action("Remove", (one) => this.remove(one))));
  }

  onKey(event) {
    const row = event.target.closest("tr");
    const entry = this.entries?.find((one) => one.name === row?.dataset.name);
    if (!entry || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = (other) => other?.querySelector("button.name")?.focus();
    if (event.key === "ArrowDown") to(row.nextElementSibling);
    else if (event.key === "ArrowUp") to(row.previousElementSibling);
    else if (event.key === "F2") attempt(() => this.rename(entry));
    else if (event.key === "Delete") attempt(() => this.remove(entry));
    else if (event.key === "Backspace") attempt(() => this.open(`${this.folder}/..`));
    else return;
    event.preventDefault();
  }

  async open(path) {
    const parts = [];
    for (const part of path.split("/")) {
      if (part === "..") parts.pop();
      else if (part && part !== ".") parts.push(part);
    }
    const before = this.folder;
    this.folder = `/${parts.join("/")}`;
    this.viewed.hidden = true;
    try {
      await this.refresh();
      announce(`Folder ${this.folder}`);
    } catch (problem) {
      this.folder = before;
      throw problem;
    }
    this.body.querySelector("button")?.focus();
  }

  enter(entry) {
    const path = joined(this.folder, entry.name);
    return isFolder(entry) ? this.open(path) : this.view(entry, path);
  }

  async view(entry, path) {
    const extension = /\.(\w+)$/.exec(entry.name)?.[1].toLowerCase();
    const kind = Object.hasOwn(PICTURES, extension ?? "") ? PICTURES[extension] : null;
    const most = kind ? 8 * VIEW_MOST : VIEW_MOST;
    const size = Number(entry.size) || 0;
    const bytes = size > 0 ? new Uint8Array(await (await this.space.use().read(path, most))
      .arrayBuffer()) : new Uint8Array(0);
    const isPart = size > bytes.length;
    const isText = !bytes.subarray(0, 8000).includes(0);
    let shown = element("pre", { tabindex: "0", "aria-label": `The file ${entry.name}` },
      new TextDecoder().decode(bytes));
    if (kind && !isPart) {
      shown = element("img", { class: "picture", alt: `The picture ${entry.name}`,
        src: `data:${kind};base64,${toBase64(bytes)}` });
    } else if (!isText) {
      shown = element("p", { class: "empty" }, "This is no text. Save it to look at it.");
    }
    const about = isPart && isText ? `the first ${bytesText(bytes.length)} of ${bytesText(size)}`
      : bytesText(size);
    this.viewed.replaceChildren(element("div", { class: "row" },
      element("h3", {}, element("bdi", {}, entry.name)), element("span", { class: "about" }, about),
      element("span", { class: "space" }), button("Save", () => this.save(entry)),
      button("Close", () => {
        this.viewed.hidden = true;
        this.rowNamed(entry.name)?.querySelector("button").focus();
      }, { class: "quiet" })), shown);
    this.viewed.hidden = false;
    this.viewed.scrollIntoView({ block: "nearest" });
    this.viewed.scrollTop = 0;
    shown.focus({ preventScroll: true });
  }

  async save(entry) {
    const response = await this.space.use().read(joined(this.folder, entry.name));
    saveAs(entry.name, await response.arrayBuffer());
    announce(`${entry.name} was saved`);
  }

  async upload(files) {
    for (const file of [...files]) {
      if (file.size > UPLOAD_MOST) {
        throw new Failure(`${file.name} is larger than ${bytesText(UPLOAD_MOST)}`);
      }
      announce(`Uploading ${file.name}`);
      await this.space.use().write(joined(this.folder, file.name), file);
      notify(`${file.name} is in ${this.folder}`, "good");
    }
    this.input.value = "";
    await this.refresh();
  }

  async newFolder() {
    const name = await askText("New folder", "Name", "", "Make");
    if (name === null) return;
    await this.space.use().call("filesystem.Filesystem/MakeDir",
      { path: joined(this.folder, name) });
    await this.refresh();
  }

  async rename(entry) {
    const name = await askText("Rename", "New name", entry.name, "Rename");
    if (name === null || name === entry.name) return;
    await this.space.use().call("filesystem.Filesystem/Move", {
      source: joined(this.folder, entry.name),
      destination: name.startsWith("/") ? name : joined(this.folder, name) });
    await this.refresh();
  }

  async remove(entry) {
    const warning = isFolder(entry)
      ? "The folder, with all that is in it, cannot be brought back."
      : "The file cannot be brought back.";
    if (!await askWhether(`Remove ${entry.name}?`, warning, "Remove")) return;
    await this.space.use().call("filesystem.Filesystem/Remove",
      { path: joined(this.folder, entry.name) });
    this.viewed.hidden = true;
    await this.refresh();
  }
}
