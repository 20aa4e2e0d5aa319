// A heat map over the boxes, and the presentation: one block after the other, for a lecture.

/** Colour the boxes by their part of the largest value; the legend says what that is. */
function paintHeat(app) {
  const measure = MEASURES[byId("heat").value];
  byId("legend").hidden = !measure;
  if (!measure) return;
  const { items } = app.program;
  const boxes = app.composed.boxes.filter(({ id }) => items[id]);
  const values = new Map(boxes.map(({ id }) => [id, measure.of(app.values, items[id])]));
  const largest = Math.max(1, ...values.values());
  byId("legend-text").textContent = `${scaled(largest)} ${measure.title}`;
  for (const element of app.root.querySelectorAll(".box:not(.failed)")) {
    const value = values.get(element.dataset.id) ?? null;
    const part = ((100 * value) / largest).toFixed(1);
    const colour = `color-mix(in srgb, var(--hot) ${part}%, var(--cold))`;
    if (value !== null) element.querySelector(".shape").style.fill = colour;
  }
}

/** Begin: the panel is hidden, and the first stop is the whole network, closed. */
function present(app) {
  app.resting = { opened: app.opened, index: app.index };
  document.body.dataset.stop = "0";
  showStop(app);
  byId("figure").focus();
}

function endPresentation(app) {
  delete document.body.dataset.stop;
  byId("caption").hidden = true;
  Object.assign(app, app.resting);
  app.draw();
  requestAnimationFrame(() => app.view.start());
}

/** The whole network, each of its stages with the block open, and each block as it is defined. */
function stopsOf(app) {
  const stages = app.program.stages.map((id) => ({ id, index: 0 }));
  const figures = app.drawing.views.map((view, index) => ({ index, title: view.title })).slice(1);
  return [{ index: 0 }, ...stages, ...figures];
}

function showStop(app) {
  const stops = stopsOf(app);
  const at = Math.min(Math.max(0, Number(document.body.dataset.stop)), stops.length - 1);
  document.body.dataset.stop = at;
  const { id, index, title } = stops[at];
  app.index = index;
  const isBlock = app.drawing.here.has(id);
  app.opened = new Set(isBlock ? [id] : []);
  app.draw();
  if (id) app.select(id);
  const item = id && app.drawnItem(id);
  byId("caption").hidden = false;
  const words = id ? app.describe(id) : title ?? `${app.program.title}: ${app.summary()}`;
  const cites = app.program.items[id]?.cites ?? [];
  byId("caption").textContent = [words, ...cites, `${at + 1} / ${stops.length}`].join(" \u00b7 ");
  requestAnimationFrame(() => (item ? app.view.moveTo(item, 2.2) : app.view.fit()));
}

/** Take a key of the presentation; false where it is none. */
function presenting(app, { key }) {
  if (document.body.dataset.stop === undefined) {
    if (key === "p") present(app);
    return key === "p";
  }
  const move = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 }[key];
  if (key === "Escape") endPresentation(app);
  if (move) {
    document.body.dataset.stop = Number(document.body.dataset.stop) + move;
    showStop(app);
  }
  return Boolean(move) || key === "Escape";
}
