// Figure -> SVG elements. Text goes in as text nodes only; colours come from classes.

const SVG = "http://www.w3.org/2000/svg";
const HEAD_LENGTH = 6.5;
const HEAD_WIDTH = 5;

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Draw a placed figure into `root`; `describe` gives an item's words for a screen reader. */
function drawFigure(root, figure, describe) {
  const items = [...walk(figure.items)].filter((i) => i.type !== "parallel");
  const groups = items.filter((i) => i.type === "group");
  const drawn = new Set();
  const arrows = figure.arrows.map((arrow) => drawArrow(arrow, drawn));
  const back = svg("g", { "aria-hidden": "true" }, ...groups.map(drawFrame), ...arrows);
  root.replaceChildren(back, ...items.map((item) => drawItem(item, describe(item))));
}

function drawFrame({ area, failed }) {
  return svg("rect", { class: failed ? "frame failed" : "frame", x: area.x, y: area.y, width: area.width, height: area.height, rx: 5 });
}

/** An arrow; a piece that another one has `drawn` already is not drawn again, it would look bold. */
function drawArrow({ points, failed, isTold, told, words }, drawn) {
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const reach = Math.min(HEAD_LENGTH, 0.8 * length);
  const [bx, by] = [x1 - reach * ux, y1 - reach * uy];
  const half = HEAD_WIDTH / 2;
  const stops = [...points.slice(0, -1), [bx, by]].map(([x, y]) => `${round2(x)} ${round2(y)}`);
  const pieces = stops.slice(1).map((stop, i) => `M${stops[i]} L${stop}`).filter((p) => failed || !drawn.has(p));
  pieces.forEach((piece) => drawn.add(piece));
  const corners = [[x1, y1], [bx - half * uy, by + half * ux], [bx + half * uy, by - half * ux]];
  const parts = [
    svg("path", { d: pieces.join(" ") }),
    svg("polygon", { points: corners.map((p) => p.map(round2).join(",")).join(" ") }),
  ];
  if (told) parts.push(svg("text", { x: words[0], y: words[1] + 0.35 * FONT, "text-anchor": "middle", class: isTold ? "flow" : "flow times" }, told));
  return svg("g", { class: failed ? "arrow failed" : "arrow" }, ...parts);
}

const round2 = (number) => Math.round(number * 100) / 100;

function drawItem(item, words) {
  const isOpen = item.type === "group";
  const canToggle = item.openable || (isOpen && !item.isFixed);
  const children = isOpen ? captionOf(item) : boxOf(item);
  return svg(
    "g",
    {
      class: ["item", isOpen ? "caption" : "box", item.failed && "failed", item.openable && "openable", `kind-${item.kind}`].filter(Boolean).join(" "),
      role: "button",
      tabindex: "-1",
      "data-id": item.id,
      "aria-label": words,
      "aria-expanded": canToggle ? String(isOpen) : null,
    },
    ...children,
  );
}

function boxOf(item) {
  const { x, y, width, height } = item.area;
  const shape = item.round
    ? svg("ellipse", { class: "shape round", cx: x + width / 2, cy: y + height / 2, rx: width / 2, ry: height / 2 })
    : svg("rect", { class: "shape", x, y, width, height });
  const ring = svg("rect", { class: "ring", x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 4 });
  const middle = x + width / 2 - (item.openable ? 6 : 0);
  const top = y + (height - LEADING * item.lines.length) / 2;
  const lines = item.lines.map((line, i) =>
    svg("text", { x: middle, y: top + (i + 0.5) * LEADING + 0.35 * FONT, class: "label" }, line),
  );
  const parts = [shape, ...lines, ring];
  if (item.openable) parts.push(signOf(x + width - 11, y + height / 2, true));
  if (item.size) parts.push(sizeText(item, y + height / 2 + 0.35 * FONT));
  return parts;
}

function captionOf(item) {
  const { x, y, width, height } = item.area;
  const hit = svg("rect", { class: "hit", x, y, width, height: LEADING + 8 });
  const ring = svg("rect", { class: "ring", x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 7 });
  const label = svg("text", { x: x + (item.isFixed ? 9 : 25), y: y + 1.35 * FONT, class: "caption-label" }, item.lines[0]);
  const parts = [hit, label, ring];
  if (!item.isFixed) parts.push(signOf(x + 14, y + 0.98 * FONT, false));
  if (item.size) parts.push(sizeText(item, y + 1.35 * FONT));
  return parts;
}

function sizeText(item, y) {
  return svg("text", { x: item.area.x + item.area.width + SIZE_GAP, y, class: "size" }, item.size);
}

/** The plus or minus that says that a block can be opened or closed. */
function signOf(x, y, isPlus) {
  const d = `M${x - 3.2} ${y}h6.4${isPlus ? `M${x} ${y - 3.2}v6.4` : ""}`;
  return svg("g", { class: "sign", "aria-hidden": "true" }, svg("circle", { cx: x, cy: y, r: 6 }), svg("path", { d }));
}
