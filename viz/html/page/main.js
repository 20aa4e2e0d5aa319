// Search, keys and the first call.

Object.assign(App.prototype, {
  /** Everything that can be found: the boxes of the figure with every block open. */
  searchIndex() {
    const all = new Set([...this.graph.regions.values()].filter((r) => r.kind === "block").map((r) => r.name));
    const { items } = new Arranging(this.program, this.graph, all).figure();
    const index = [];
    const visit = (list, around, titles) => list.forEach((item) => {
      if (item.type === "parallel") { item.columns.forEach((c) => visit(c, around, titles)); return; }
      index.push({ ...item, around, titles, text: this.searchText(item) });
      const inner = item.isFixed ? around : [...around, item.id];
      if (item.type === "group") visit(item.items, inner, [...titles, item.label]);
    });
    visit(items, [], []);
    return index;
  },

  searchText(item) {
    const definition = this.program.blocks[item.region?.definition];
    const errata = [...(item.info?.errata ?? []), ...(definition?.errata ?? [])];
    const words = [item.label, item.id, citeText(item.info?.cite), citeText(definition?.cite), definition?.title, ...errata];
    return words.filter(Boolean).join(" ").toLowerCase();
  },

  search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length ? this.index.filter((entry) => words.every((w) => entry.text.includes(w))) : [];
    const list = byId("found");
    list.replaceChildren(...found.slice(0, 30).map((entry) => html("li", {}, html(
      "button", { type: "button", onclick: () => { list.replaceChildren(); this.goTo(entry.id); } },
      html("span", {}, entry.label.slice(0, 120)),
      html("small", {}, entry.titles.map((t) => t.slice(0, 60)).join(" \u203a ")),
    ))));
    const rest = found.length > 30 ? `, the first 30 of them are shown` : "";
    if (words.length) this.say(found.length ? `${plural(found.length, "match")}${rest}`.replace("matchs", "matches") : "nothing found");
    byId("nothing").hidden = !words.length || found.length > 0;
  },

  buildControls() {
    const groups = [];
    this.controls = [];
    const add = (title, made) => {
      this.controls.push(...made);
      if (made.length) groups.push(html("fieldset", {}, html("legend", {}, title), ...made.map(([, c]) => c.row)));
    };
    for (const input of this.program.inputs) add(`Input ${input.name}`, inputControls(this, input));
    const settings = this.program.params.map((param) => {
      const target = { kind: "param", name: param.name };
      return [target, paramControl(this, param, `param-${param.name}`, target)];
    });
    add("Network", settings);
    const layers = [...adjustableLayers(this.program)];
    for (const layer of layers) add(titleOf(this.program, layer, layers), layerControls(this, layer));
    byId("controls").append(...groups);
  },

  listen() {
    const figure = byId("figure");
    const idOf = (event) => event.target.closest?.(".item")?.dataset.id;
    figure.addEventListener("click", (event) => {
      const id = idOf(event);
      if (id === undefined) return;
      this.select(id, true);
      this.toggle(id);
    });
    figure.addEventListener("focusin", (event) => { if (idOf(event) !== undefined) this.select(idOf(event)); });
    figure.addEventListener("pointerover", (event) => { if (event.pointerType === "mouse") this.hover(idOf(event)); });
    figure.addEventListener("pointerleave", () => this.hover(undefined));
    figure.addEventListener("keydown", (event) => this.key(event));
    byId("search").addEventListener("input", (event) => this.search(event.target.value));
    byId("finder").addEventListener("submit", (event) => { event.preventDefault(); byId("found").querySelector("button")?.click(); });
    byId("finder").addEventListener("keydown", (event) => this.searchKey(event));
    addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, select, textarea")) { event.preventDefault(); byId("search").focus(); }
    });
    const buttons = {
      "zoom-in": () => this.view.zoom(1.3),
      "zoom-out": () => this.view.zoom(1 / 1.3),
      "zoom-fit": () => this.view.fit(),
      "open-all": () => this.setAll(true),
      "close-all": () => this.setAll(false),
      "reset-all": () => this.reset(),
    };
    for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
  },

  /** Show what the pointer is over; what is selected comes back when it leaves. */
  hover(id) {
    if (byId("details").contains(document.activeElement)) return;
    if (this.detailed !== (id ?? this.selected)) this.showDetails(id ?? this.selected);
  },

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const act = {
      Enter: () => this.toggle(this.selected),
      " ": () => this.toggle(this.selected),
      Escape: () => this.closeAround(),
      Home: () => this.select(this.items()[0].id, true),
      End: () => this.select(this.items().at(-1).id, true),
      "+": () => this.view.zoom(1.3),
      "=": () => this.view.zoom(1.3),
      "-": () => this.view.zoom(1 / 1.3),
      0: () => this.view.fit(),
    }[key] ?? (key.startsWith("Arrow") ? () => this.step(key.slice(5)) : null);
    if (!act) return;
    event.preventDefault();
    act();
  },

  /** Move to the nearest box in a direction. */
  step(direction) {
    const centre = ({ area, type }) => [area.x + area.width / 2, type === "group" ? area.y + 10 : area.y + area.height / 2];
    const from = this.itemOf(this.selected);
    if (!from) return;
    const [x0, y0] = centre(from);
    const [dx, dy] = { Up: [0, -1], Down: [0, 1], Left: [-1, 0], Right: [1, 0] }[direction];
    const cost = (item) => {
      const [x, y] = centre(item);
      const along = (x - x0) * dx + (y - y0) * dy;
      const aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
      return along > 1 ? along + 2.5 * aside : Infinity;
    };
    const best = this.items().reduce((a, b) => (cost(b) < cost(a) ? b : a), from);
    if (cost(best) < Infinity) this.select(best.id, true);
  },

  closeAround() {
    const groups = this.items().filter((i) => i.type === "group" && !i.isFixed);
    const inside = (group) => group.id === this.selected || [...walk(group.items)].some((i) => i.id === this.selected);
    const around = groups.filter(inside).at(-1);
    if (!around) return;
    this.toggle(around.id);
    this.elementOf(around.id)?.focus({ preventScroll: true });
  },

  searchKey(event) {
    const buttons = [byId("search"), ...byId("found").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move && at >= 0) {
      event.preventDefault();
      buttons[Math.min(buttons.length - 1, Math.max(0, at + move))].focus();
    }
    if (event.key === "Escape") {
      byId("search").value = "";
      this.search("");
      byId("search").focus();
    }
  },
});

window.netdraft = new App(decode(JSON.parse(byId("program").textContent)));
