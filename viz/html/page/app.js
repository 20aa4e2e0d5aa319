// The page: keeps what is set, opened and selected, and draws it all anew on a change.

class App {
  constructor(program) {
    Object.assign(this, { changes: new Map(), opened: new Set(), selected: null, index: 0 });
    this.root = byId("boxes");
    this.view = new View(byId("figure"));
    this.panel = new Panel(this);
    this.live = program.live ? new Live(this, program.live) : null;
    this.take(program);
    this.opened = this.drawing.idsAt(program.depth);
    listen(this);
    restoreState(this);
    this.draw();
    this.select(this.selected);
    this.view.start();
  }

  // -- the program ---------------------------------------------------------------------------

  take(program) {
    this.program = program;
    this.numbers = new Numbers(program.numbers);
    this.drawing = new Drawing(program.drawings);
    this.before = this.values = this.numbers.evaluate(new Map());
    this.controls = buildControls(this);
    this.panel.showAbout();
    for (const id of ["title", "subtitle"]) byId(id).textContent = program[id];
    const options = this.drawing.views.map(({ title }, i) => html("option", { value: i }, title));
    byId("view").replaceChildren(...options);
    byId("view").hidden = options.length < 2;
  }

  /** Show another program, as the compiler made it after an edit; what is open stays open. */
  update(program) {
    const title = this.drawing.views[this.index]?.title;
    const known = new Set(program.numbers.settings.map((s) => s.key));
    for (const key of [...this.changes.keys()]) if (!known.has(key)) this.changes.delete(key);
    this.take(program);
    this.index = Math.max(0, this.drawing.views.findIndex((view) => view.title === title));
    this.opened = new Set([...this.opened].filter((id) => id in program.items));
    this.recompute();
  }

  /** Set a value; what a setting comes to without it is no change. */
  set(setting, value) {
    this.changes.delete(setting.key);
    const usual = () => this.numbers.evaluate(this.changes).setting(setting);
    const isChange = value !== undefined && fieldText(value) !== fieldText(usual());
    if (isChange) this.changes.set(setting.key, value);
  }

  change(key, value) {
    this.set(this.numbers.settings.find((s) => s.key === key), value);
    this.recompute();
  }

  recompute() {
    this.values = this.numbers.evaluate(this.changes);
    this.draw();
    this.say(this.summary());
  }

  /** What is wrong: as the compiler has it, and where something is changed as the numbers are. */
  get problems() {
    return this.changes.size ? this.values.findings : this.program.findings;
  }

  get isBroken() {
    return this.problems.length > 0 || Boolean(this.values.beyond);
  }

  summary() {
    const { values, problems } = this;
    if (values.beyond) return values.beyond;
    if (problems.length) return `${plural(problems.length, "error")}: ${problems[0].message}`;
    const macs = values.macs([""]);
    const told = macs === null ? "" : `, ${scaled(macs)} multiply-accumulates`;
    return `${grouped(values.parameters([""]))} parameters${told}`;
  }

  // -- drawing -------------------------------------------------------------------------------

  draw() {
    this.composed = this.drawing.compose(this.index, this.opened);
    this.view.size = this.composed;
    const isFocused = this.root.contains(document.activeElement);
    const failed = new Set(this.problems.map(({ node }) => this.itemWith(node)?.id));
    this.drawing.drawInto(this.root, this.composed, {
      textOf: (slot) => this.textOf(slot),
      describe: (item) => this.describe(item.id, failed.has(item.id)),
      classOf: (item) => (failed.has(item.id) && !item.failed ? ["failed"] : []),
    });
    paintHeat(this);
    if (!this.drawnItem(this.selected)) this.selected = this.composed.boxes[0]?.id ?? null;
    this.markSelected();
    if (isFocused) this.elementOf(this.selected)?.focus({ preventScroll: true });
    this.panel.showAll();
    for (const control of this.controls) control.update();
    byId("view").value = this.index;
    keepState(this);
  }

  /** A text with its numbers as they are now; `less`: what a number leaves of 1. */
  textOf(slot) {
    if (typeof slot === "string") return slot;
    if (!this.changes.size) return slot.t;
    if (slot.s) return this.panel.size(slot.s);
    if (slot.c) return grouped(this.values.count(slot.c));
    const value = slot.a ? this.values.attribute(...slot.a) : this.values.argument(...slot.g);
    const number = value?.d ? Number(value.n) / Number(value.d) : value;
    return String(slot.less ? +(1 - number).toPrecision(6) : number ?? slot.t);
  }

  drawnItem(id) {
    return this.composed.items.find((item) => item.id === id) ?? null;
  }

  /** The drawn item that holds a node: its box, or the closed block around it. */
  itemWith(node) {
    const holds = ({ id }) => counts(this.program.items[id], node);
    return node ? this.drawnItem(node) ?? this.composed.boxes.find(holds) ?? null : null;
  }

  titleOf(id) {
    const lines = this.drawnItem(id)?.lines;
    if (!lines) return this.program.items[id]?.title ?? id ?? "";
    return lines.map((line) => line.map((p) => this.textOf(p)).join("")).join(" ");
  }

  /** The words for an item that a screen reader says. */
  describe(id, isFailed = false) {
    const item = this.program.items[id];
    if (!item) return this.titleOf(id);
    const [parameters, macs] = COUNTED.map((what) => MEASURES[what].of(this.values, item));
    return [
      `${this.titleOf(id)}, output ${this.panel.size(item.out)}`,
      parameters && `${grouped(parameters)} parameters`,
      macs && `${scaled(macs)} multiply-accumulates`,
      isFailed && "does not fit",
    ].filter(Boolean).join(", ");
  }

  place([file, line]) {
    return `${this.program.files[file]}:${line}`;
  }

  elementOf(id) {
    return [...this.root.querySelectorAll(".item")].find((e) => e.dataset.id === id) ?? null;
  }

  // -- what is selected and open -------------------------------------------------------------

  markSelected() {
    for (const element of this.root.querySelectorAll(".item")) {
      const isSelected = element.dataset.id === this.selected;
      element.setAttribute("tabindex", isSelected ? "0" : "-1");
      element.classList.toggle("selected", isSelected);
    }
  }

  select(id, focus = false) {
    if (!id) return;
    this.selected = id;
    this.markSelected();
    this.panel.showDetails(id);
    keepState(this);
    if (!focus) return;
    this.elementOf(id)?.focus({ preventScroll: true });
    if (this.drawnItem(id)) this.view.reveal(this.roomOf(this.drawnItem(id), 30), 64);
  }

  /** The area of an item; of a frame only the uppermost `most`. */
  roomOf({ x, y, width, height, type }, most = Infinity) {
    return { x, y, width, height: type === "frame" ? Math.min(most, height) : height };
  }

  /** Open or close a block in place: its lower edge stays where it is on the screen. */
  toggle(id) {
    const item = this.drawnItem(id);
    if (item?.opens === "apart") this.showView(item.figure);
    if (item?.opens !== "here") return;
    this.opened = new Set(this.composed.opened);
    const isOpen = this.opened.delete(id);
    if (!isOpen) this.opened.add(id);
    this.selected = id;
    this.draw();
    const now = this.drawnItem(id);
    this.view.x += now.x + now.width / 2 - item.x - item.width / 2;
    this.view.y += now.y + now.height - item.y - item.height;
    this.view.apply();
    this.view.reveal(this.roomOf(now));
    this.say(`${this.titleOf(id)} ${isOpen ? "closed" : "opened"}`);
  }

  setAll(isOpen) {
    this.opened = this.drawing.idsAt(isOpen ? Infinity : 0);
    this.showView(0);
    this.say(isOpen ? "All blocks opened" : "All blocks closed");
  }

  showView(index) {
    this.index = index;
    this.draw();
    this.view.start();
    this.say(this.drawing.views[index].title);
  }

  /** Go to a node or box by name: open the blocks around it, select it, bring it into view. */
  goTo(name) {
    const { items } = this.program;
    const owner = items[name] ? name : Object.keys(items).findLast((id) => counts(items[id], name));
    if (!owner) return;
    this.index = 0;
    for (const id of items[owner].around ?? []) this.opened.add(id);
    this.draw();
    this.select(this.drawnItem(owner) ? owner : this.itemWith(name)?.id, true);
  }

  say(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { byId("status").textContent = text; }, 150);
  }
}

/** Whether a node is in a box: in one of the nodes and regions that its numbers are of. */
function counts(item, node) {
  const isIn = (name) => node === name || node.startsWith(`${name}.`);
  return item?.out === node || Boolean(item?.counts?.some(isIn));
}
