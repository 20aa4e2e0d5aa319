// The page itself: keeps what is set, opened and selected, and draws it all anew on a change.

/** Turn {q: [numerator, denominator]} into a fraction, everywhere in the program. */
function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if ("q" in value) return fraction(BigInt(value.q[0]), BigInt(value.q[1]));
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]));
}

/** Every layer that is written in a program, by its number; what is drawn of it leads back to it. */
function layersOf(program) {
  const found = new Map();
  const visit = (layers) => layers.forEach((layer) => {
    found.set(layer.id, layer);
    layer.info.layer = layer;
    for (const [, chain] of layer.branches ?? []) visit(chain);
    for (const chain of [layer.layers, layer.body, layer.shortcut]) if (chain) visit(chain);
  });
  [program, ...Object.values(program.blocks)].forEach((home) => visit(home.layers));
  return found;
}

class App {
  constructor(program) {
    Object.assign(this, { program, settings: emptySettings(), opened: new Set(), selected: null });
    this.program.blocks = Object.assign(Object.create(null), program.blocks);
    this.root = byId("boxes");
    this.view = new View(byId("figure"));
    this.view.covered = byId("problems");
    this.layers = layersOf(this.program);
    this.compute();
    if (!this.graph) {
      this.giveUp();
      return;
    }
    this.first = this.graph;
    this.openTo(program.depth);
    this.index = this.searchIndex();
    this.buildControls();
    this.listen();
    this.showAbout();
    this.draw();
    this.select(this.items()[0]?.id);
    this.view.start();
    this.live = program.live ? new Live(this, program.live) : null;
  }

  /** Show another program, as the compiler made it after an edit; what is open stays open. */
  update(given) {
    const program = decode(given);
    program.blocks = Object.assign(Object.create(null), program.blocks);
    Object.assign(this, { program, settings: emptySettings(), layers: layersOf(program) });
    this.compute();
    if (this.trouble) return;
    this.first = this.graph;
    this.opened = new Set([...this.opened].filter((id) => this.graph.regions.has(id)));
    this.index = this.searchIndex();
    byId("controls").replaceChildren(byId("controls").firstElementChild);
    this.buildControls();
    this.draw();
    this.say(this.summaryText());
  }

  // -- the numbers ---------------------------------------------------------------------------

  compute() {
    try {
      this.graph = buildGraph(this.program, this.settings);
      this.trouble = null;
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      this.trouble = error.message;
      return;
    }
    const { nodes } = this.graph;
    for (const node of nodes.values()) {
      const shapes = node.inputs.map((i) => nodes.get(i).shape);
      node.parameters = node.share ? 0 : countParameters(node.op, shapes);
      node.macs = countMacs(node.op, shapes, node.shape);
    }
    this.totals = this.sumOf([...nodes.keys()]);
  }

  sumOf(names) {
    const nodes = names.map((n) => this.graph.nodes.get(n));
    return { parameters: sum(nodes.map((n) => n.parameters)), macs: sum(nodes.map((n) => n.macs)) };
  }

  /** The counts of a figure's item; inside a frame of copies those of one copy. */
  countsOf(item) {
    const { parameters, macs } = this.sumOf(item.members);
    return { parameters: floorDivide(parameters, 0, item.around), macs: floorDivide(macs, 0, item.around) };
  }

  errors() {
    const found = this.graph.findings.filter((f) => f.code !== "wrong-size");
    // The compiler says the same, and often a guess at what was meant.
    const isSaid = (f) => this.program.findings.some((g) => g.at[1] === f.at[1] && g.message.startsWith(f.message));
    const all = [...found.filter((f) => !isSaid(f)), ...this.program.findings];
    return all.sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1] || a.at[2] - b.at[2]);
  }

  /** What the compiler would say of this graph, and its numbers: for the tests. */
  snapshot() {
    const nodes = [...this.graph.nodes.values()];
    return {
      parameters: isSymbolic(this.totals.parameters) ? showDim(this.totals.parameters) : this.totals.parameters,
      macs: isSymbolic(this.totals.macs) ? showDim(this.totals.macs) : this.totals.macs,
      shapes: Object.fromEntries(nodes.map((n) => [n.name, n.shape.map(showDim).join("x")])),
      findings: this.graph.findings.map((f) => [f.code, f.message, f.help]),
    };
  }

  /** Say why there is no figure. */
  giveUp() {
    const errors = [{ message: this.trouble, help: "", at: [0, 0, 0] }, ...this.program.findings];
    byId("problems").hidden = false;
    byId("problems").replaceChildren(...errors.map((e) => problemItem(this.program, e, null)));
  }

  // -- settings ------------------------------------------------------------------------------

  change(target, value) {
    if (target.kind === "input") this.changeInput(target, value);
    else {
      const [map, key] = target.kind === "param" ? [this.settings.params, target.name] : [this.settings.fields, `${target.layer.id}.${target.field}`];
      if (value === undefined) map.delete(key);
      else map.set(key, value);
    }
    this.recompute();
  }

  changeInput({ name, axis }, value) {
    const start = this.first.nodes.get(name).shape.map((d) => (isSymbolic(d) ? showDim(d) : d));
    const dims = [...(this.settings.inputs.get(name) ?? start)];
    for (const place of axis === "both" ? [1, 2] : [axis]) dims[place] = value === undefined ? start[place] : value;
    if (dims.every((d, i) => d === start[i])) this.settings.inputs.delete(name);
    else this.settings.inputs.set(name, dims);
  }

  isChanged(target) {
    if (target.kind === "param") return this.settings.params.has(target.name);
    if (target.kind === "field") return this.settings.fields.has(`${target.layer.id}.${target.field}`);
    const dims = this.settings.inputs.get(target.name);
    const start = this.first.nodes.get(target.name).shape;
    const places = target.axis === "both" ? [1, 2] : [target.axis];
    return Boolean(dims) && places.some((p) => dims[p] !== (isSymbolic(start[p]) ? showDim(start[p]) : start[p]));
  }

  /** The value that holds for a target now; null where the graph has no such thing. */
  valueOf(target, graph = this.graph) {
    if (target.kind === "param") return graph.params[target.name] ?? null;
    if (target.kind === "input") {
      const dim = graph.nodes.get(target.name).shape[target.axis === "both" ? 1 : target.axis];
      return typeof dim === "number" ? dim : null;
    }
    const { layer, field } = target;
    const set = this.settings.fields.get(`${layer.id}.${field}`);
    if (set !== undefined && graph === this.graph) return set;
    const regions = [...graph.regions.values()].filter((r) => r.layer === layer);
    if (field === "repeat") return regions.find((r) => r.kind === "repeat")?.members.length ?? null;
    if (field.startsWith("with.")) return regions.find((r) => r.kind === "block")?.params[field.slice(5)] ?? null;
    return attributeOf([...graph.nodes.values()].find((n) => n.info.layer === layer)?.op, field);
  }

  reset() {
    this.settings = emptySettings();
    this.recompute();
  }

  recompute() {
    this.compute();
    if (!this.trouble) this.draw();
    this.say(this.summaryText());
  }

  /** Read a number as a field of the page does; null if it is none. */
  read(text) {
    return readNumber(text, "number");
  }

  summaryText() {
    if (this.trouble) return this.trouble;
    const errors = this.errors();
    if (errors.length) return `${plural(errors.length, "error")}: ${errors[0].message}`;
    return `${grouped(this.totals.parameters)} parameters, ${scaled(this.totals.macs)} multiply-accumulates`;
  }

  // -- drawing -------------------------------------------------------------------------------

  draw() {
    this.figure = new Arranging(this.program, this.graph, this.opened).figure();
    this.view.size = layOut(this.figure);
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    drawFigure(this.root, this.figure, (item) => this.describe(item));
    this.keepSelection();
    this.markSelected();
    if (focused !== null) this.elementOf(this.selected)?.focus({ preventScroll: true });
    this.showTotals();
    this.showProblems();
    this.showDetails(this.selected);
    this.showTable();
    this.showChanges();
    for (const [target, control] of this.controls) this.updateControl(target, control);
  }

  /** A changed kernel may give the selected layer another name: it stays selected. */
  keepSelection() {
    const items = this.items();
    if (!items.some((i) => i.id === this.selected)) {
      const same = items.find((i) => i.info && i.info === this.selectedInfo) ?? items[0];
      if (this.detailed === this.selected) this.detailed = same?.id;
      this.selected = same?.id ?? null;
    }
    this.selectedInfo = this.itemOf(this.selected)?.info;
  }

  items() {
    return [...walk(this.figure.items)].filter((i) => i.type !== "parallel");
  }

  itemOf(id) {
    return this.items().find((i) => i.id === id) ?? null;
  }

  elementOf(id) {
    return [...this.root.querySelectorAll(".item")].find((e) => e.dataset.id === id) ?? null;
  }

  /** The words for an item that a screen reader says. */
  describe(item) {
    const { shape } = this.graph.nodes.get(item.output);
    const { parameters, macs } = this.countsOf(item);
    const parts = [visible(item.label), `output ${paper(shape)}`];
    if (parameters !== 0) parts.push(`${grouped(parameters)} parameters`);
    if (macs !== 0) parts.push(`${scaled(macs)} multiply-accumulates`);
    if (item.failed) parts.push("does not fit");
    return parts.join(", ");
  }

  markSelected() {
    for (const element of this.root.querySelectorAll(".item")) {
      const isSelected = element.dataset.id === this.selected;
      element.setAttribute("tabindex", isSelected ? "0" : "-1");
      element.classList.toggle("selected", isSelected);
    }
  }

  select(id, focus = false) {
    if (id === undefined) return;
    this.selected = id;
    this.selectedInfo = this.itemOf(id)?.info;
    this.markSelected();
    this.showDetails(id);
    if (!focus) return;
    this.elementOf(id)?.focus({ preventScroll: true });
    // With what is next to it: an error is about two boxes.
    if (this.itemOf(id)) this.view.reveal(this.roomOf(id, 30), 64);
  }

  /** The area of an item with the size beside it; of a frame only the uppermost `most`. */
  roomOf(id, most = Infinity) {
    const item = this.itemOf(id);
    const beside = item.type === "group" ? item.cell.beside : item.beside;
    const height = item.type === "group" ? Math.min(most, item.area.height) : item.area.height;
    return { ...item.area, width: item.area.width + beside, height };
  }

  /** Open or close a block in place: its lower edge stays where it is on the screen. */
  toggle(id) {
    const before = this.itemOf(id);
    if (!before || !(before.openable || (before.type === "group" && !before.isFixed))) return;
    if (this.opened.has(id)) this.opened.delete(id);
    else this.opened.add(id);
    this.selected = id;
    const anchor = (area) => [area.x + area.width / 2, area.y + area.height];
    const [x0, y0] = anchor(before.area);
    this.draw();
    const { area, type } = this.itemOf(id);
    const [x1, y1] = anchor(area);
    this.view.x += x1 - x0;
    this.view.y += y1 - y0;
    this.view.apply();
    this.view.reveal(this.roomOf(id));
    this.say(`${before.label} ${type === "group" ? "opened" : "closed"}`);
  }

  /** Open the blocks of as many levels. */
  openTo(depth) {
    this.opened = new Set();
    for (const region of this.graph.regions.values()) {
      const level = region.parent === null ? 0 : this.graph.regions.get(region.parent).level + Number(region.kind === "block");
      region.level = level;
      if (region.kind === "block" && level <= depth) this.opened.add(region.name);
    }
  }

  setAll(isOpen) {
    this.openTo(isOpen ? Infinity : 0);
    this.draw();
    this.view.start();
    this.say(isOpen ? "All blocks opened" : "All blocks closed");
  }

  say(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { byId("status").textContent = visible(text); }, 150);
  }
}

function attributeOf(op, field) {
  if (!op) return null;
  const values = { filters: op.filters, linear: op.features, scale: op.factor, stride: op.stride };
  return values[field] ?? (IS_PAIR.includes(field) ? op.kernel : null) ?? null;
}
