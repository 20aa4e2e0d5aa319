// One row for each setting: a field, a slider for numbers, what is wrong with it, a way back.

const AXES = ["channels", "height", "width"];
const numberOf = (value) => (value.d ? Number(value.n) / Number(value.d) : value);
const fieldText = (value) => (value === null ? "" : String(numberOf(value)));

class Control {
  /** `settings` are changed together: one, or the height and the width of an input. */
  constructor(app, settings, label) {
    Object.assign(this, { app, settings, first: settings[0] });
    const { doc, cite, type, key, live } = this.first;
    const id = key.replace(/[^\w]+/g, "-") + (settings.length > 1 ? "-both" : "");
    this.isHere = live !== false;
    this.field = html("input", {
      id, type: "text", inputmode: this.isHere ? "decimal" : "text", autocomplete: "off",
      spellcheck: "false", disabled: !this.isHere && !app.live, "aria-describedby": `${id}-hint`,
      oninput: () => this.isHere && this.read(), onchange: () => this.settle(),
    });
    this.slider = this.isHere ? html("input", {
      type: "range", tabindex: "-1", "aria-hidden": "true", step: type === "number" ? 0.01 : 1,
      min: this.first.least ?? 0, oninput: () => this.read(this.slider.value),
      onchange: () => this.settle(),
    }) : null;
    const button = (name, words, act) => html("button", {
      type: "button", class: name, hidden: true, "aria-label": `${words} ${label}`, onclick: act,
    }, name === "reset" ? "\u21ba" : words);
    this.why = html("small", { class: "why", role: "status" });
    this.back = button("reset", "Reset", () => this.reset());
    const canWrite = app.live?.canWrite(key);
    this.write = canWrite ? button("write", "Write to the file", () => this.writeIt()) : null;
    const words = [doc, cite, this.isHere || app.live ? "" : "live in `netdraft watch`"];
    const hint = html("small", { id: `${id}-hint` }, words.filter(Boolean).join(" \u00b7 "));
    this.row = html("div", { class: this.slider ? "control" : "control word" },
      html("label", { for: id }, label), this.slider, this.field, this.back, this.why,
      this.write, hint);
  }

  /** Take what was typed; what is refused says why beside the field, and the default holds. */
  read(text = this.field.value) {
    const { value, why = "" } = readSetting(this.first, text.trim());
    this.refuse(why);
    for (const setting of this.settings) this.app.set(setting, why ? undefined : value);
    this.app.recompute();
  }

  refuse(why) {
    this.why.textContent = why;
    this.field.setAttribute("aria-invalid", String(Boolean(why)));
  }

  /** When a field is left: what the page cannot follow, or what does not fit, is the compiler's. */
  async settle() {
    const { app, settings, isHere } = this;
    if (!app.live || (isHere && !app.isBroken)) this.update();
    else {
      const text = this.field.value.trim();
      const why = await app.live.set(settings.map(({ key }) => key), text);
      // The page may have been made anew meanwhile; what is refused stays in its field.
      const row = app.controls.find(({ field }) => field.id === this.field.id);
      row?.refuse(why);
      if (why && row) row.field.value = text;
      row?.update();
    }
  }

  reset() {
    this.refuse("");
    const keys = this.settings.map(({ key }) => key);
    for (const key of keys) this.app.changes.delete(key);
    if (keys.some((key) => this.app.live?.isSet(key))) this.app.live.set(keys, null);
    else this.app.recompute();
  }

  writeIt() {
    for (const { key } of this.settings) this.app.live.write(key, this.field.value.trim());
  }

  update() {
    const { changes, live, values } = this.app;
    const { value: first, type } = this.first;
    const value = values.setting(this.first);
    const isRefused = this.field.getAttribute("aria-invalid") === "true";
    const isChanged = this.settings.some((s) => changes.has(s.key) || live?.isSet(s.key));
    if (document.activeElement !== this.field && !isRefused) this.field.value = fieldText(value);
    if (this.slider) {
      const most = Math.max(type === "number" ? 1 : 8, 2 * fieldText(first), fieldText(value));
      Object.assign(this.slider, { max: most, value: fieldText(value) });
    }
    this.back.hidden = !isChanged && !isRefused;
    if (this.write) this.write.hidden = !isChanged;
    this.row.classList.toggle("changed", isChanged);
  }
}

/** Build the rows under their titles: the network's parameters, inputs, copies. */
function buildControls(app) {
  const groups = new Map();
  for (const setting of app.numbers.settings) {
    const [kind, name, axis] = setting.key.split(":");
    const title = { param: "Network", input: `Input ${name}`, repeat: "Copies" }[kind];
    const rows = groups.get(title) ?? [];
    const width = app.numbers.settings.find((s) => axis === "1" && s.key === `input:${name}:2`);
    if (width) rows.push(new Control(app, [setting, width], "height = width"));
    const label = kind === "input" ? AXES[axis] : setting.label;
    groups.set(title, [...rows, new Control(app, [setting], label)]);
  }
  const made = [...groups].map(([title, rows]) =>
    html("fieldset", {}, html("legend", {}, title), ...rows.map(({ row }) => row)));
  byId("controls").replaceChildren(html("h2", {}, "Parameters"), ...made);
  return [...groups.values()].flat();
}
