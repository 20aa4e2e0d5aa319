// The pictures of the page. Python has laid them out; opening a block adds what it ships to that:
// what lies above rises, frames and lanes around go as far out as the widest open block needs.

/** Points by which two heights may differ and still be one. */
const EPS = 0.05;
const SVG = "http://www.w3.org/2000/svg";

const pairs = (flat) => flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]]));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const short = (number) => Math.round(number * 100) / 100;
/** A name in a block: it begins with a point where it is inside. */
const within = (block, name) => (name.startsWith(".") ? block + name : name);

function raised({ points, words, ...rest }, by) {
  const up = ([x, y, ...more]) => [x, y + by, ...more];
  return { ...rest, points: points.map(up), words: words && up(words) };
}

/** What is in a block or a picture: x from the spine, y upwards from the lower edge. */
class Scope {
  constructor(insides, content, block, opened) {
    Object.assign(this, { content, block, inner: new Map(), opened: [] });
    content.boxes.forEach(({ id, opens }, index) => {
      const name = within(block, id);
      if (!opens || !opened.has(name)) return;
      const scope = new Scope(insides, insides[opens.inside], name, opened);
      this.inner.set(index, scope);
      this.opened.push(name, ...scope.opened);
    });
    const isOpen = (path) => this.opened.includes(within(block, path));
    this.beside = Object.entries(content.beside ?? {}).flatMap(([k, b]) => (isOpen(k) ? [b] : []));
    this.rises = [...this.inner].map(([index, scope]) => {
      const { at: [, y, , height], opens } = content.boxes[index];
      return [y + height, opens.rise + scope.rise];
    });
    this.rise = sum(this.rises.map(([, rise]) => rise));
    for (const [index, scope] of this.inner) {
      const { at, opens } = content.boxes[index];
      scope.low = this.lifted(at[1]) + (opens.lift ?? 0);
    }
    this.legs = content.legs.map((leg, index) => this.ways(leg, index));
  }

  /** How high something is that is at y where all is closed. */
  lifted(y) {
    return y + sum(this.rises.map(([top, rise]) => (y >= top - EPS ? rise : 0)));
  }

  /** How far left and right of the spine something reaches; `grown` has it of what is beside. */
  reach(closed, grown = (beside) => beside.reach) {
    const all = [closed, ...this.beside.map((b) => grown(b) ?? closed)];
    return [0, 1].map((side) => Math.max(...all.map((reach) => reach[side])));
  }

  /** Boxes and frames, from the bottom up, a frame before what is in it. */
  items() {
    const { boxes, frames = [] } = this.content;
    return boxes.flatMap((box, index) => {
      const around = frames.flatMap((f, i) => (f.before === index ? [this.around(f, i)] : []));
      if (this.inner.has(index)) return [...around, ...this.frame(box, this.inner.get(index))];
      const [x, y, width, height] = box.at;
      return [...around, this.item(box, "box", { x, y: this.lifted(y), width, height })];
    });
  }

  /** A frame around boxes, some of which may be open. */
  around(frame, index) {
    const [x, y, width, height] = frame.at;
    const [left, right] = this.reach([-x, x + width], ({ frames }) => frames?.[index]);
    const [low, high] = [y, y + height].map((edge) => this.lifted(edge));
    return this.item(frame, "frame", { x: -left, y: low, width: left + right, height: high - low });
  }

  /** The frame of an open block and what is in it. */
  frame(json, inside) {
    const { opens, at: [, , , closed] } = json;
    const [left, right] = inside.reach(opens.reach);
    const y = inside.low;
    const height = closed + opens.rise + inside.rise - (opens.lift ?? 0);
    // The caption is mostly what is in the box, on one line.
    const lines = opens.lines ?? [json.lines.flatMap((line, i) => (i ? [" ", ...line] : line))];
    const words = { ...json, closes: 1, lines, size: "size" in opens ? opens.size : json.size };
    const frame = this.item(words, "frame", { x: -left, y, width: left + right, height });
    return [frame, ...inside.items().map((item) => ({ ...item, y: item.y + y }))];
  }

  item({ id, kind, lines, size, failed, optional, round, figure, closes }, type, area) {
    const whole = (name) => (Array.isArray(name) ? name.map(whole) : within(this.block, name));
    const isName = (key) => key !== "t" && key !== "less";
    const slot = (p) => Object.entries(p).map(([k, v]) => [k, isName(k) ? whole(v) : v]);
    const part = (p) => (typeof p === "string" ? p : Object.fromEntries(slot(p)));
    const text = (line) => line.map(part);
    return {
      ...{ id: within(this.block, id), type, kind, ...area, lines: lines.map(text) },
      ...{ size: size ? text(size) : null, figure: figure ?? null, closes: Boolean(closes) },
      ...{ failed: Boolean(failed), optional: Boolean(optional), round: Boolean(round) },
    };
  }

  /** The ways that a leg is part of, from and into what is in the blocks at its ends. */
  ways(leg, index) {
    const moves = this.beside.flatMap((b) => (b.legs?.[index] ? [pairs(b.legs[index])] : []));
    const way = pairs(leg.at).map(([x, y], i) => {
      const far = (a, b) => (Math.abs(b - x) > Math.abs(a - x) ? b : a);
      const up = sum(moves.map((m) => m[i][1]));
      return [moves.map((m) => m[i][0]).reduce(far, x), this.lifted(y) + up];
    });
    const words = leg.words && [leg.words[0], this.lifted(leg.words[1]), leg.words[2]];
    const box = (end) => within(this.block, this.content.boxes[end]?.id ?? "");
    const tails = this.ends(leg.from, leg.tails) ?? [{ tail: box(leg.from), points: [] }];
    const head = { head: box(leg.to), points: [], failed: Boolean(leg.failed), words };
    const heads = this.ends(leg.to, leg.heads) ?? [head];
    return tails.flatMap(({ tail, points }) =>
      heads.map((h) => ({ ...h, tail, points: [...points, ...way, ...h.points] })));
  }

  /** How legs go on in an open block. */
  ends(index, legs) {
    const inside = this.inner.get(index);
    if (!inside) return null;
    return legs.flatMap((leg) => inside.legs[leg].map((way) => raised(way, inside.low)));
  }

  /** The arrows that are in it from end to end. */
  arrows() {
    const scopes = [...this.inner.values()];
    const inner = scopes.flatMap((s) => s.arrows().map((arrow) => raised(arrow, s.low)));
    return [...inner, ...this.legs.flat().filter(({ tail, head }) => tail && head)];
  }
}

class Drawing {
  /** @param {object} json what `write_drawings` in viz/html/drawing.py returns. */
  constructor(json) {
    Object.assign(this, json);
    this.deepest = json.depths.length;
    /** The blocks that open in place. */
    this.here = new Set(this.scope(json.views[0].content, { has: () => true }).opened);
  }

  scope(content, opened) {
    return new Scope(this.insides, content, "", opened);
  }

  /** The blocks that are open at a depth. */
  idsAt(depth) {
    return new Set(this.depths.slice(0, depth).flatMap(({ ids }) => ids));
  }

  /**
   * Put a picture together, in points from its upper left corner.
   *
   * @param {number} view 0: the network; the others are the figures of its blocks.
   * @param {Set<string>} opened the blocks of the network that shall be open.
   * @returns width, height; items: boxes and frames from the bottom up; boxes; frames; arrows;
   *   opened: those blocks that are.
   */
  compose(view, opened) {
    const isOf = (ids) => ids.size === opened.size && [...ids].every((id) => opened.has(id));
    const level = this.depths.findIndex(({ content }, i) => content && isOf(this.idsAt(i + 1)));
    const whole = view ? null : this.depths[level]?.content;
    const content = whole ?? this.views[view].content;
    const scope = this.scope(content, opened);
    const [left, right] = scope.reach(content.reach);
    const height = content.height + scope.rise;
    const at = ([x, y, ...more]) => [short(left + x), short(height - y), ...more];
    const items = scope.items().map((item) => {
      const [x, y] = at([item.x, item.y + item.height]);
      const area = { x, y, width: short(item.width), height: short(item.height) };
      return { ...item, ...area, opens: this.toggles(view, item) };
    });
    const arrows = scope.arrows().map(({ points, words, ...arrow }) =>
      ({ ...arrow, points: points.map(at), words: words && at(words) }));
    const [boxes, frames] = ["box", "frame"].map((type) => items.filter((i) => i.type === type));
    const [width, tall] = [short(left + right), short(height)];
    const shown = new Set(whole ? opened : scope.opened);
    return { width, height: tall, items, boxes, frames, arrows, opened: shown };
  }

  /** Whether an item opens or closes in place, as a view of its own (its figure), or not at all. */
  toggles(view, { id, type, closes, figure }) {
    if (type === "frame") return closes && !view ? "here" : null;
    if (!view && this.here.has(id)) return "here";
    return figure === null ? null : "apart";
  }

  /** How a box opens in a view, whatever is open: "here", "apart" or null. */
  openable(view, id) {
    if (!view && this.here.has(id)) return "here";
    const shown = view ? [this.views[view]] : [this.views[0], ...this.depths];
    const boxes = shown.flatMap(({ content }) => content?.boxes ?? []);
    return boxes.some((box) => box.id === id && box.figure !== undefined) ? "apart" : null;
  }

  /**
   * Draw a picture into an element of an SVG.
   *
   * @param {object} composed what `compose` returned.
   * @param {object} page textOf: the text of a slot, which is `a` [node, attribute] (with `less`
   *   what that leaves of it), `s` a node's size, `c` a repeat's copies or `g` [block, parameter];
   *   `t` is its first text. describe: an item in words. classOf: more classes of it.
   */
  drawInto(root, composed, page) {
    const pen = new Pen(this.type, page);
    const aside = { "aria-hidden": "true", "pointer-events": "none" };
    root.replaceChildren(
      svg("g", aside, ...composed.frames.map(({ x, y, width, height, failed }) =>
        svg("rect", { class: failed ? "frame failed" : "frame", x, y, width, height }))),
      ...composed.items.map((item) => pen.item(item)),
      // Above the boxes, so that their heads are wholly visible.
      svg("g", aside, ...composed.arrows.map((arrow) => pen.arrow(arrow))),
    );
  }
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Makes the elements of a picture. */
class Pen {
  constructor(type, page) {
    Object.assign(this, { type, page, drawn: new Set() });
  }

  /** A line as wide as in the font it was measured in, and narrower where its room is less. */
  text(line, attributes, room = Infinity) {
    const part = (p) => (typeof p === "string" ? p : this.page.textOf(p));
    const words = line.map(part).join("");
    const size = attributes["font-size"] ?? this.type.size;
    const width = sum([...words].map((letter) => this.type.widths[letter] ?? 1)) * size;
    const length = { textLength: short(Math.min(width, room)), lengthAdjust: "spacingAndGlyphs" };
    const all = { "font-size": size, "xml:space": "preserve", ...length, ...attributes };
    return svg("text", all, words);
  }

  /** An arrow; a piece that another one has drawn is left out: twice it would look bold. */
  arrow({ points, failed, words }) {
    const { line, head: [long, broad], note } = this.type;
    const wide = failed ? 2 * line : line;
    const [[x0, y0], [x1, y1]] = points.slice(-2);
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    const reach = Math.min(long * wide, 0.8 * length);
    const [bx, by] = [x1 - reach * ux, y1 - reach * uy];
    const half = (broad * wide) / 2;
    const told = (point) => point.map(short).join(" ");
    const stops = [...points.slice(0, -1), [bx, by]].map(told);
    const pieces = stops.slice(1).map((stop, i) => `M${stops[i]} L${stop}`);
    const fresh = pieces.filter((piece) => failed || !this.drawn.has(piece));
    fresh.forEach((piece) => this.drawn.add(piece));
    const corners = [[x1, y1], [bx - half * uy, by + half * ux], [bx + half * uy, by - half * ux]];
    const shapes = [
      svg("path", { d: fresh.join(" "), "stroke-width": wide }),
      svg("polygon", { points: corners.map(told).join(" ") }),
    ];
    if (words) {
      const middle = { x: words[0], y: words[1], "font-size": note, "text-anchor": "middle" };
      shapes.push(this.text([words[2]], { ...middle, class: failed ? "flow" : "flow times" }));
    }
    return svg("g", { class: failed ? "arrow failed" : "arrow" }, ...shapes);
  }

  item(item) {
    const { type, id, kind, failed, optional, opens } = item;
    const isFrame = type === "frame";
    const classes = { failed, optional, openable: opens && !isFrame };
    const own = ["item", isFrame ? "caption" : "box", `kind-${kind}`, ...this.page.classOf(item)];
    const attributes = {
      class: [...own, ...Object.keys(classes).filter((name) => classes[name])].join(" "),
      ...{ role: "button", tabindex: "-1", "data-id": id, "aria-label": this.page.describe(item) },
      "aria-expanded": opens === "here" ? String(isFrame) : null,
    };
    const { x, y, width, height } = item;
    const ring = { x: x - 2, y: y - 2, width: width + 4, height: height + 4, rx: 3, class: "ring" };
    const shapes = isFrame ? this.caption(item) : this.box(item);
    return svg("g", attributes, ...shapes, svg("rect", ring));
  }

  box(item) {
    const { x, y, width, height, lines, optional, opens } = item;
    const { size, leading } = this.type;
    const [rx, ry, top] = [width / 2, height / 2, (leading - leading * lines.length) / 2];
    const middle = y + ry + 0.35 * size;
    const dashes = { "stroke-dasharray": optional ? "4 3" : null };
    const shape = item.round
      ? svg("ellipse", { class: "shape round", cx: x + rx, cy: y + ry, rx, ry, ...dashes })
      : svg("rect", { class: "shape", x, y, width, height, ...dashes });
    const label = (line, i) => {
      const at = { x: x + rx, y: short(middle + top + i * leading), "text-anchor": "middle" };
      return this.text(line, { ...at, class: "label" }, width - 4);
    };
    const plus = opens ? sign(x + width, y, true) : [];
    return [shape, ...lines.map(label), ...this.beside(item, middle), ...plus];
  }

  caption(item) {
    const { x, y, width, lines, opens } = item;
    const { size, leading, gap } = this.type;
    const at = { x: x + gap, y: short(y + 1.15 * size), class: "caption-label" };
    return [
      svg("rect", { class: "hit", x, y, width, height: leading + gap }),
      this.text(lines[0], at, width - 2 * gap),
      ...this.beside(item, at.y),
      ...(opens ? sign(x, y, false) : []),
    ];
  }

  /** The size beside a box or frame. */
  beside({ x, width, size }, y) {
    const at = { x: short(x + width + this.type.beside), y: short(y), class: "size" };
    return size ? [this.text(size, at)] : [];
  }
}

/** The plus or minus that says that a block can be opened or closed. */
function sign(x, y, isPlus) {
  const d = `M${x - 2.4} ${y}h4.8${isPlus ? `M${x} ${y - 2.4}v4.8` : ""}`;
  const disc = svg("circle", { cx: x, cy: y, r: 4.5 });
  return [svg("g", { class: "sign", "aria-hidden": "true" }, disc, svg("path", { d }))];
}
