// The page as `netdraft watch` serves it: programs come in, values and edits go out.

class Live {
  /** `told` is what the server says beside a program: version, undo, redo, places. */
  constructor(app, told) {
    Object.assign(this, { app, values: new Map(), whys: new Map(), fields: new Map() });
    const button = (words, act) => html("button", { type: "button", onclick: act }, words);
    this.lamp = html("span", { class: "lamp", role: "status" });
    this.undoButton = button("Undo", () => this.edit("undo"));
    this.redoButton = button("Redo", () => this.edit("redo"));
    this.backButton = button("", () => this.set([...this.values.keys()], null));
    this.note = html("p", { id: "live-note", role: "status" });
    this.broken = html("section", { id: "broken", role: "alert", hidden: true });
    document.querySelector(".tools").append(html("div", {
      id: "live", role: "group", "aria-label": "The file",
    }, this.lamp, this.undoButton, this.redoButton, this.backButton));
    byId("stage").append(this.note, this.broken);
    this.hear(told);
    this.shown = this.state();
    this.connect();
  }

  connect() {
    const source = new EventSource("events");
    source.onopen = () => this.light(true);
    source.onmessage = () => this.ask();
    source.onerror = () => {
      this.light(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), 1000);
    };
  }

  light(isOn) {
    this.lamp.classList.toggle("on", isOn);
    this.lamp.textContent = isOn ? "live" : "not connected";
  }

  async post(path, asked) {
    try {
      const headers = { "Content-Type": "application/json" };
      const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(asked) });
      const isJson = reply.headers.get("Content-Type")?.startsWith("application/json");
      return isJson ? await reply.json() : { why: await reply.text() };
    } catch {
      return { why: "the server does not answer; it may have been ended" };
    }
  }

  /** What an answer depends on. */
  state() {
    return JSON.stringify([this.version, ...this.values]);
  }

  /** Get the program with what is set; while an answer is awaited, another one after it. */
  ask() {
    this.isWanted = true;
    this.asking ??= this.keepAsking().finally(() => { this.asking = null; });
    return this.asking;
  }

  async keepAsking() {
    while (this.isWanted) {
      this.isWanted = false;
      const reply = await this.post("program", { values: Object.fromEntries(this.values) });
      if (reply.why) this.say(reply.why);
      else if (!this.isWanted) this.receive(reply);
    }
  }

  hear({ version, undo, redo, places }) {
    Object.assign(this, { version, places });
    for (const [button, what] of [[this.undoButton, undo], [this.redoButton, redo]]) {
      Object.assign(button, { disabled: !what, title: what });
    }
    this.backButton.hidden = !this.values.size;
    this.backButton.textContent = `Put back ${plural(this.values.size, "tried value")}`;
  }

  receive({ program, problems, refused, ...told }) {
    for (const [key, why] of Object.entries(refused)) {
      this.values.delete(key);
      this.whys.set(key, why);
      this.say(why);
    }
    this.hear(told);
    this.showBroken(program ? [] : problems);
    const isSame = this.shown === this.state();
    this.shown = this.state();
    if (!program || isSame) return;
    this.fields.clear();
    if (program.findings.length && this.takeOver()) this.isWanted = true;
    else this.keepField(() => this.app.update(program));
  }

  /** Draw anew; who is typing goes on typing, in the fields of a layer once they have come. */
  keepField(draw) {
    const { id, value, selectionStart: at } = document.activeElement;
    const restore = () => {
      const field = id && document.activeElement === document.body ? byId(id) : null;
      if (!field || value === undefined) return;
      field.value = value;
      field.focus({ preventScroll: true });
      if (at !== null) field.setSelectionRange?.(at, at);
    };
    this.isDrawing = true; // a field that is taken away says that it was changed
    draw();
    this.isDrawing = false;
    restore();
    Promise.all(this.fields.values()).then(restore);
  }

  isSet(key) { return this.values.has(key); }
  canWrite(key) { return key in this.places; }

  /** Leave what the page changed by its formulas to the compiler; false where nothing is. */
  takeOver() {
    const { changes } = this.app;
    for (const [key, value] of changes) this.values.set(key, fieldText(value));
    changes.clear();
    return this.shown !== this.state();
  }

  /** Try a value without writing it; null takes it back. Returns why not, or nothing. */
  async set(keys, text) {
    if (this.isDrawing) return "";
    this.takeOver();
    for (const key of keys) {
      this.whys.delete(key);
      if (text === null) this.values.delete(key);
      else this.values.set(key, text);
    }
    await this.ask();
    return keys.map((key) => this.whys.get(key)).find(Boolean) ?? "";
  }

  write(key, text, was = this.places[key]) { return this.edit("write", { key, text, was }); }

  async edit(path, asked = {}) {
    const { done, why } = await this.post(path, asked);
    this.say(done ?? why);
    if (!done) return;
    this.values.delete(asked.key);
    this.app.changes.delete(asked.key);
    await this.ask();
  }

  say(text) {
    this.note.textContent = text;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.note.textContent = ""; }, 8000);
  }

  /** A place that a click copies, for an editor. */
  place(at) {
    const copied = () => this.say(`copied ${at}`);
    const copy = () => navigator.clipboard.writeText(at).then(copied, () => this.say(at));
    return html("button", { type: "button", class: "place", title: "Copy", onclick: copy }, at);
  }

  /** Show why there is no figure; the last one stays, greyed. */
  showBroken(problems) {
    this.broken.hidden = !problems.length;
    document.body.classList.toggle("stale", problems.length > 0);
    this.broken.replaceChildren(
      html("h2", {}, "The file is no network now; the figure is the last one"),
      ...problems.map(({ text, at }) => html("div", {},
        at ? this.place(at) : null, html("pre", {}, text))));
  }

  /** The fields of a layer as its file has them: to try, to write. */
  fieldsOf(item, id) {
    const box = html("fieldset", { hidden: true }, html("legend", {}, "In the file"));
    if (!this.fields.has(id)) this.fields.set(id, this.post("values", { name: id }));
    this.fields.get(id).then((found) => {
      if (found.length) box.append(...found.map((field) => this.field(field)));
      box.hidden = !found.length;
    });
    return [box];
  }

  field({ key, what, text, at }) {
    const id = `live-${key.replace(/[^\w]+/g, "-")}`;
    const tried = () => (input.value.trim() === text ? null : input.value.trim());
    const input = html("input", {
      id, type: "text", autocomplete: "off", spellcheck: "false", title: at,
      value: this.values.get(key) ?? text,
      onchange: async () => {
        why.textContent = await this.set([key], tried());
        write.hidden = !this.isSet(key);
      },
    });
    const why = html("small", { class: "why", role: "status" }, this.whys.get(key) ?? "");
    const write = html("button", {
      type: "button", class: "write", hidden: !this.isSet(key),
      onclick: () => this.write(key, input.value.trim(), text),
    }, "Write to the file");
    return html("div", { class: `control word ${this.isSet(key) ? "changed" : ""}` },
      html("label", { for: id }, what), input, why, write);
  }
}
