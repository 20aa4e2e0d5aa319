// Pointer, keys and search.

function listen(app) {
  const figure = byId("figure");
  const idOf = (event) => event.target.closest?.(".item")?.dataset.id;
  figure.addEventListener("click", (event) => {
    const id = idOf(event);
    if (id === undefined) return;
    app.select(id, true);
    app.toggle(id);
  });
  // What the pointer has come to rest on is told beside; in passing, when the figure moves under
  // it, and while a field there is being filled in, the panel stays.
  let [resting, over] = [0];
  const tell = (id = app.selected) => {
    const isFilling = byId("details").querySelector("input:focus");
    if (!isFilling && app.panel.detailed !== id) app.panel.showDetails(id);
  };
  figure.addEventListener("pointermove", (event) => {
    const id = idOf(event);
    if (event.pointerType !== "mouse" || id === over) return;
    clearTimeout(resting);
    over = id;
    resting = setTimeout(() => tell(id), 200);
  });
  figure.addEventListener("pointerleave", () => {
    clearTimeout(resting);
    over = undefined;
    tell();
  });
  figure.addEventListener("focusin", (event) => app.select(idOf(event)));
  figure.addEventListener("keydown", (event) => pressed(app, event));
  byId("search").addEventListener("input", (event) => search(app, event.target.value));
  byId("finder").addEventListener("keydown", (event) => moveInMatches(app, event));
  byId("finder").addEventListener("submit", (event) => {
    event.preventDefault();
    byId("found").querySelector("button")?.click();
  });
  byId("view").addEventListener("change", (event) => app.showView(Number(event.target.value)));
  byId("heat").addEventListener("change", () => app.draw());
  addEventListener("pointerdown", ({ target }) => {
    if (!byId("export").contains(target)) byId("export").open = false;
  });
  addEventListener("keydown", (event) => {
    if (isField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      byId("search").focus();
    } else if (presenting(app, event)) event.preventDefault();
  });
  const buttons = {
    "zoom-in": () => app.view.zoom(1.3),
    "zoom-out": () => app.view.zoom(1 / 1.3),
    "zoom-fit": () => app.view.fit(),
    "open-all": () => app.setAll(true),
    "close-all": () => app.setAll(false),
    "reset-all": () => app.controls.forEach((control) => control.reset()),
    present: () => present(app),
    "step-back": () => presenting(app, { key: "ArrowLeft" }),
    "step-on": () => presenting(app, { key: "ArrowRight" }),
    "step-end": () => presenting(app, { key: "Escape" }),
    "save-svg": () => saveSvg(app),
    "save-png": () => savePng(app),
    "save-tikz": () => saveTikz(app),
    "copy-link": () => copyLink(app),
  };
  for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
}

function pressed(app, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.stop) return;
  const { items } = app.composed;
  const act = {
    Enter: () => app.toggle(app.selected),
    " ": () => app.toggle(app.selected),
    Escape: () => closeAround(app),
    Home: () => app.select(items[0].id, true),
    End: () => app.select(items.at(-1).id, true),
    "+": () => app.view.zoom(1.3),
    "=": () => app.view.zoom(1.3),
    "-": () => app.view.zoom(1 / 1.3),
    0: () => app.view.fit(),
  }[event.key] ?? (event.key.startsWith("Arrow") ? () => step(app, event.key.slice(5)) : null);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** Move to the nearest box in a direction. */
function step(app, direction) {
  const centre = ({ x, y, width, height, type }) => [
    x + width / 2, type === "frame" ? y + 10 : y + height / 2,
  ];
  const from = app.drawnItem(app.selected);
  if (!from) return;
  const [x0, y0] = centre(from);
  const [dx, dy] = { Up: [0, -1], Down: [0, 1], Left: [-1, 0], Right: [1, 0] }[direction];
  const cost = (item) => {
    const [x, y] = centre(item);
    const along = (x - x0) * dx + (y - y0) * dy;
    const aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
    return along > 1 ? along + 2.5 * aside : Infinity;
  };
  const best = app.composed.items.reduce((a, b) => (cost(b) < cost(a) ? b : a), from);
  if (cost(best) < Infinity) app.select(best.id, true);
}

function closeAround(app) {
  const around = [...(app.program.items[app.selected]?.around ?? []), app.selected];
  const open = around.filter((id) => app.opened.has(id)).at(-1);
  if (open) app.toggle(open);
  else if (app.index) app.showView(0);
  app.elementOf(open)?.focus({ preventScroll: true });
}

/** Find every word; those items first that have the very text. */
function search(app, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = ({ words: own, cites = [], errata = [] }) =>
    [own, ...cites, ...errata].join(" ").toLowerCase();
  const has = ([, item]) => all(item).includes(text.trim().toLowerCase());
  const found = Object.entries(app.program.items).filter(
    ([, item]) => words.length && words.every((word) => all(item).includes(word)));
  found.sort((a, b) => has(b) - has(a));
  const go = (id) => () => { byId("found").replaceChildren(); app.goTo(id); };
  const titles = ({ around = [] }) => around.map((a) => app.titleOf(a).slice(0, 60));
  byId("found").replaceChildren(...found.slice(0, 30).map(([id, item]) => html("li", {},
    html("button", { type: "button", onclick: go(id) },
      html("span", {}, app.titleOf(id).slice(0, 120)),
      html("small", {}, titles(item).join(" \u203a "))))));
  byId("nothing").hidden = !words.length || found.length > 0;
  const rest = found.length > 30 ? ", the first 30 of them are shown" : "";
  if (words.length) app.say(plural(found.length, "match", "matches") + rest);
}

function moveInMatches(app, event) {
  const buttons = [byId("search"), ...byId("found").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (move && at >= 0) {
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, at + move))].focus();
  }
  if (event.key === "Escape") {
    byId("search").value = "";
    search(app, "");
    byId("search").focus();
  }
}
