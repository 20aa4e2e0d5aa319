// What the app shows beside the figure: totals, problems, details, stages, changes.

Object.assign(App.prototype, {
  showTotals() {
    const broken = this.errors().length > 0;
    byId("parameters").textContent = broken ? "\u2014" : grouped(this.totals.parameters);
    byId("macs").textContent = broken ? "\u2014" : scaled(this.totals.macs);
    byId("macs").title = broken ? "" : grouped(this.totals.macs);
    const sizes = (names) => names.map((n) => paper(this.graph.nodes.get(n).shape)).join(", ");
    byId("in-size").textContent = sizes(this.graph.inputs);
    byId("out-size").textContent = sizes(this.graph.outputs.map((o) => o.node));
    document.body.classList.toggle("broken", broken);
  },

  showProblems() {
    const errors = this.errors();
    const list = byId("problems");
    const show = (name) => this.goTo(name);
    list.hidden = !errors.length;
    const isBeyond = errors.every((e) => e.code === "beyond-page");
    const heading = isBeyond ? "The page cannot follow this" : "It does not fit";
    const title = html("h2", {}, errors.length === 1 || isBeyond ? heading : `${heading}: ${errors.length} errors`);
    list.replaceChildren(title, html("ul", {}, ...errors.map((e) => problemItem(this.program, e, show))));
    const sizes = this.graph.findings.filter((f) => f.code === "wrong-size");
    const note = byId("sizes");
    note.hidden = !sizes.length || errors.length > 0;
    note.replaceChildren(
      html("summary", {}, `${plural(sizes.length, "size")} differ from what the spec states`),
      html("ul", {}, ...sizes.map((f) => html("li", {}, `${f.message} (${placeText(this.program, f.at)})`))),
    );
  },

  showDetails(id) {
    const panel = byId("details");
    const item = this.itemOf(id);
    if (!item) { panel.replaceChildren(); return; }
    // While a field of this box is being edited, only its values change.
    if (this.detailed === id && panel.contains(document.activeElement) && document.activeElement.matches("input, select")) {
      panel.querySelector("dl").replaceWith(this.factsOf(item));
      return;
    }
    this.detailed = id;
    this.controls = this.controls.filter(([, c]) => !c.isDetail);
    panel.replaceChildren(
      html("h2", {}, item.label.slice(0, 2000)),
      this.factsOf(item),
      ...this.noteOf(item),
      ...this.editorOf(item),
      ...(this.live?.fieldsOf(item, id) ?? []),
    );
  },

  factsOf(item) {
    const { nodes } = this.graph;
    const { parameters, macs } = this.countsOf(item);
    const definition = this.program.blocks[item.region?.definition];
    const cites = [...new Set([citeText(item.info?.cite), citeText(definition?.cite)].filter(Boolean))];
    const written = Object.entries(item.main?.written ?? {}).map(([field, text]) => `${field}: ${text}`);
    const params = Object.entries(item.region?.params ?? {}).map(([name, value]) => `${name} = ${value === null ? "?" : showValue(value)}`);
    return facts([
      ["Output", outputText(nodes.get(item.output))],
      ["Input", this.inputsOf(item)],
      ["Parameters", ofCopies(parameters, item.times) + share(parameters, this.totals.parameters)],
      ["MACs", ofCopies(macs, item.times) + share(macs, this.totals.macs)],
      ["Copies", item.times > 1 ? `${item.times}, counted together` : ""],
      ["Around it", item.around > 1 ? `${item.around} copies, one is counted` : ""],
      ["Arguments", params.join(", ")],
      ["Written", written.join(", ")],
      ["Name", item.id.slice(0, 300)],
      ["Holds", (item.guests ?? []).map((g) => g.label).join(", ")],
      ["Cited", cites.join("; ")],
      ["Spec", pathFact(placeText(this.program, item.info?.at))],
      ["Defined", definition ? pathFact(placeText(this.program, definition.at)) : ""],
    ]);
  },

  /** The sizes of what a box reads, or its first copy: 3 x 35x35x32. */
  inputsOf(item) {
    const { nodes } = this.graph;
    const own = [item, ...(item.guests ?? [])].flatMap((i) => (i.members.length ? namesIn(this.graph, i.id) : [i.output]));
    const inside = new Set(item.members);
    const sources = new Set(own.flatMap((name) => nodes.get(name).inputs).filter((name) => !inside.has(name)));
    if (!item.members.length) sources.add(item.output);
    const counts = new Map();
    for (const source of sources) {
      const size = paper(nodes.get(source).shape);
      counts.set(size, (counts.get(size) ?? 0) + 1);
    }
    return [...counts].map(([size, count]) => (count > 1 ? `${count} x ${size}` : size)).join(", ");
  },

  noteOf(item) {
    const definition = this.program.blocks[item.region?.definition];
    const words = [item.info?.doc, definition?.doc].filter(Boolean);
    const guests = (item.guests ?? []).flatMap((g) => g.info?.errata ?? []);
    const ids = [...new Set([...(item.info?.errata ?? []), ...(definition?.errata ?? []), ...guests])];
    return [
      ...words.map((w) => html("p", { class: "doc" }, w)),
      ...ids.filter((e) => this.program.errata[e]).map((e) => erratumNote(e, this.program.errata[e])),
    ];
  },

  /** Fields for the numbers that stand in the selected layer or block. */
  editorOf(item) {
    const layer = this.layerOf(item);
    if (!layer) return [];
    const made = item.type === "box" && !item.openable ? fieldControls(this, layer) : [];
    if (!made.length) return [];
    for (const [target, control] of made) {
      control.isDetail = true;
      this.controls.push([target, control]);
      this.updateControl(target, control);
    }
    const inBlock = item.level > 1;
    const legend = inBlock ? "Change it (in every copy of its block)" : "Change it";
    return [html("fieldset", {}, html("legend", {}, legend), ...made.map(([, c]) => c.row))];
  },

  layerOf(item) {
    return item.region?.layer ?? item.info?.layer;
  },

  updateControl(target, control) {
    const value = this.valueOf(target);
    control.update({ value, isChanged: this.isChanged(target), isOff: value === null && target.kind === "field" });
  },

  /** What the spec says of the whole network. */
  showAbout() {
    const { doc, info, errata } = this.program;
    const notes = info.errata.filter((id) => errata[id]).map((id) => erratumNote(id, errata[id]));
    const words = doc ? [html("p", {}, doc)] : [];
    byId("about").hidden = !words.length && !notes.length;
    byId("about").replaceChildren(html("h2", {}, "About"), ...words, ...notes);
  },

  showTable() {
    const overview = new Arranging(this.program, this.graph, new Set()).figure();
    const rows = [...walk(overview.items)].filter((i) => i.type === "box").map((item) => ({
      id: item.id,
      label: item.label.slice(0, 200),
      output: outputText(this.graph.nodes.get(item.output)),
      ...this.countsOf(item),
    }));
    byId("stages").replaceChildren(stageTable(rows, (id) => this.goTo(id)));
  },

  showChanges() {
    const { params, inputs } = this.settings;
    const lines = [];
    for (const [name, value] of params) lines.push(`${name} = ${showValue(value)}`);
    for (const [name, dims] of inputs) lines.push(`${name}: [${dims.join(", ")}]`);
    for (const { layer, field, value } of this.changedFields()) {
      lines.push(`${placeText(this.program, placeOf(layer, field))}  ${field.replace("with.", "")}: ${showValue(value)}`);
    }
    byId("changes").hidden = !lines.length;
    byId("change-list").replaceChildren(...lines.map((l) => html("li", {}, l)));
  },

  changedFields() {
    return [...this.settings.fields].map(([key, value]) => {
      const cut = key.indexOf(".");
      return { layer: this.layers.get(Number(key.slice(0, cut))), field: key.slice(cut + 1), value };
    });
  },

  /** Go to a node or box by name: open the blocks around it, select it, bring it into view. */
  goTo(name) {
    const owner = (items) => items.find((i) => i.id === name) ?? items.find((i) => i.type === "box" && i.members.includes(name));
    const entry = owner(this.index) ?? owner(this.items());
    if (!entry) return;
    for (const id of entry.around ?? []) this.opened.add(id);
    this.draw();
    const item = this.itemOf(entry.id) ?? owner(this.items());
    if (item) this.select(item.id, true);
  },
});
