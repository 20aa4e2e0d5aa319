// The pictures of the page. Python has laid them out; opening a block adds what it ships to that:
// what lies above rises, frames and lanes around go as far out as the widest open block needs.

const SVG = "http://www.w3.org/2000/svg";
/** Points by which two heights may differ and still be one. */
const EPS = 0.05;

/** Points from a flat list: [x, y, x, y] -> [[x, y], [x, y]]. */
const pairs = (flat) => flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]]));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const shortened = (number) => Math.round(number * 100) / 100;

/** What is in one block, or in the network: x from the spine, y up from the frame's lower edge. */
class Scope {
  /**
   * @param {Drawing} drawing has the contents of the blocks inside.
   * @param {object} content boxes, legs, frames.
   * @param {string} block the block that it is in; names in it that begin with a point follow that.
   * @param {Set<string>} opened the blocks that are open.
   */
  constructor(drawing, content, block, opened) {
    Object.assign(this, { content, block });
    this.beside = Object.entries(content.beside ?? {})
      .filter(([path]) => opened.has(this.named(path)))
      .map(([, moved]) => moved);
    this.inner = new Map();
    content.boxes.forEach((box, index) => {
      const name = this.named(box.id);
      if (!box.opens || !opened.has(name)) return;
      const inside = drawing.insides[box.opens.inside];
      this.inner.set(index, new Scope(drawing, inside, name, opened));
    });
    this.lifts = [...this.inner].map(([index, scope]) => {
      const [, y, , height] = content.boxes[index].at;
      return [y + height, content.boxes[index].opens.rise + scope.rise];
    });
    this.rise = sum(this.lifts.map(([, rise]) => rise));
  }

  named(name) {
    return name.startsWith(".") ? this.block + name : name;
  }

  /** How high something is that is at y where all is closed. */
  lifted(y) {
    return y + sum(this.lifts.filter(([top]) => y >= top - EPS).map(([, rise]) => rise));
  }

  /** How far left and right the scope reaches that does so by `least` where all is closed. */
  reach(least) {
    const all = [least, ...this.beside.filter((b) => b.reach).map((b) => b.reach)];
    return [0, 1].map((side) => Math.max(...all.map((reach) => reach[side])));
  }

  /** Text as words and slots; the names in slots are whole. */
  parts(line) {
    return line.map((part) => {
      if (typeof part === "string") return part;
      const whole = (subject) => (Array.isArray(subject) ? subject.map((s) => this.named(s)) : this.named(subject));
      return Object.fromEntries(Object.entries(part).map(([k, v]) => [k, k === "t" ? v : whole(v)]));
    });
  }

  item(json, type, area, words = json) {
    const { kind, failed, optional, round, figure } = json;
    return {
      id: this.named(json.id),
      type,
      kind,
      ...area,
      lines: words.lines.map((line) => this.parts(line)),
      size: words.size ? this.parts(words.size) : null,
      failed: Boolean(failed),
      optional: Boolean(optional),
      round: Boolean(round),
      figure: figure ?? null,
      isFixed: false,
    };
  }

  /** Boxes and frames, from the bottom up, a frame before what is in it. */
  items() {
    const { boxes, frames = [] } = this.content;
    return boxes.flatMap((box, index) => [
      ...frames.filter((frame) => frame.before === index).map((frame) => this.frame(frame)),
      ...(this.inner.has(index) ? this.opened(box, this.inner.get(index)) : [this.box(box)]),
    ]);
  }

  box(json) {
    const [x, y, width, height] = json.at;
    return this.item(json, "box", { x, y: this.lifted(y), width, height });
  }

  /** A frame that is not opened here; the boxes in it may be open and make it larger. */
  frame(json) {
    const [x, y, width, height] = json.at;
    const top = this.lifted(y + height);
    const area = { x, y: this.lifted(y), width, height: top - this.lifted(y) };
    return { ...this.item(json, "frame", area), isFixed: !json.closes };
  }

  /** The frame of an open block and what is in it. */
  opened(json, inside) {
    const { opens, at: [, , , height] } = json;
    const low = this.floor(json);
    const [left, right] = inside.reach(opens.reach);
    const high = height + opens.rise + inside.rise - (opens.lift ?? 0);
    // The caption is mostly what is in the box, on one line.
    const lines = opens.lines ?? [json.lines.flatMap((line, i) => (i ? [" ", ...line] : line))];
    const words = { lines, size: "size" in opens ? opens.size : json.size };
    const area = { x: -left, y: low, width: left + right, height: high };
    return [
      this.item(json, "frame", area, words),
      ...inside.items().map((item) => ({ ...item, y: item.y + low })),
    ];
  }

  /** How high the lower edge of an open block is. */
  floor(json) {
    return this.lifted(json.at[1]) + (json.opens.lift ?? 0);
  }

  /** The way of a leg: its points rise, and go as far out as some open block needs. */
  way(leg, index) {
    const moves = this.beside.flatMap((b) => (b.legs?.[index] ? [pairs(b.legs[index])] : []));
    return pairs(leg.at).map(([x, y], i) => {
      const farthest = moves.reduce((far, m) => (Math.abs(m[i][0] - x) > Math.abs(far - x) ? m[i][0] : far), x);
      return [farthest, this.lifted(y) + sum(moves.map((m) => m[i][1]))];
    });
  }

  /** For each leg the ways that it is part of, from and into the blocks at its ends. */
  get legs() {
    this.known ??= this.content.legs.map((leg, index) => {
      const way = this.way(leg, index);
      const words = leg.words && [leg.words[0], this.lifted(leg.words[1]), leg.words[2]];
      const box = (end) => (end === undefined ? null : this.named(this.content.boxes[end].id));
      const tails = this.ends(leg.from, leg.tails) ?? [{ tail: box(leg.from), points: [] }];
      const heads = this.ends(leg.to, leg.heads)
        ?? [{ head: box(leg.to), points: [], failed: Boolean(leg.failed), words: words ?? null }];
      return tails.flatMap((tail) => heads.map((head) => (
        { ...head, tail: tail.tail, points: [...tail.points, ...way, ...head.points] })));
    });
    return this.known;
  }

  /** The ways that go on in an open block. */
  ends(index, legs) {
    const inside = this.inner.get(index);
    if (!inside) return null;
    const low = this.floor(this.content.boxes[index]);
    return legs.flatMap((leg) => inside.legs[leg].map((way) => raised(way, low)));
  }

  /** The arrows that begin and end in this scope. */
  arrows() {
    const inner = [...this.inner].flatMap(([index, scope]) => {
      const low = this.floor(this.content.boxes[index]);
      return scope.arrows().map((arrow) => raised(arrow, low));
    });
    const isWhole = (leg) => leg.from !== undefined && leg.to !== undefined;
    return [...inner, ...this.legs.filter((_, index) => isWhole(this.content.legs[index])).flat()];
  }
}

function raised(arrow, by) {
  const { points, words } = arrow;
  const up = words ? [words[0], words[1] + by, words[2]] : null;
  return { ...arrow, points: points.map(([x, y]) => [x, y + by]), words: up };
}

class Drawing {
  /** @param {object} json what `write_drawings` in viz/html/drawing.py returns. */
  constructor(json) {
    Object.assign(this, json);
    this.deepest = json.depths.length;
    /** The blocks that open in place. */
    this.here = this.reachable({ has: () => true });
  }

  /** The blocks that are open at a depth. */
  idsAt(depth) {
    return new Set(this.depths.slice(0, depth).flatMap(({ ids }) => ids));
  }

  /** Of the blocks that shall be open those that can be: in place, and in open ones. */
  reachable(opened) {
    const found = new Set();
    const visit = (content, block) => {
      for (const { id, opens } of content.boxes) {
        const name = id.startsWith(".") ? block + id : id;
        if (!opens || !opened.has(name)) continue;
        found.add(name);
        visit(this.insides[opens.inside], name);
      }
    };
    visit(this.views[0].content, "");
    return found;
  }

  /** Whether a box opens in place ("here"), as a view of its own ("apart"), or not at all (null). */
  toggles(view, { id, type, isFixed, figure }) {
    if (type === "frame") return view || isFixed ? null : "here";
    if (!view && this.here.has(id)) return "here";
    return figure === null ? null : "apart";
  }

  /**
   * Put a picture together, in points from its upper left corner.
   *
   * @param {number} view 0: the network; the others are the figures of its blocks.
   * @param {Set<string>} opened the blocks that are open in the network.
   * @returns width, height; items: boxes and frames from the bottom up; boxes; frames; arrows;
   *   opened: the blocks that are open in it.
   */
  compose(view, opened) {
    const isOf = (ids) => ids.size === opened.size && [...ids].every((id) => opened.has(id));
    const level = this.depths.findIndex(({ content }, i) => content && isOf(this.idsAt(i + 1)));
    const whole = view ? this.views[view].content : this.depths[level]?.content;
    const open = whole ? new Set() : this.reachable(opened);
    const content = whole ?? this.views[0].content;
    const scope = new Scope(this, content, "", open);
    const [left, right] = scope.reach(content.reach);
    const height = content.height + scope.rise;
    const point = ([x, y]) => [shortened(left + x), shortened(height - y)];
    const items = scope.items().map((item) => {
      const [x, y] = point([item.x, item.y + item.height]);
      const area = { x, y, width: shortened(item.width), height: shortened(item.height) };
      return { ...item, ...area, opens: this.toggles(view, item) };
    });
    const arrows = scope.arrows().map(({ points, words, ...arrow }) => (
      { ...arrow, points: points.map(point), words: words && [...point(words), words[2]] }));
    const [boxes, frames] = ["box", "frame"].map((type) => items.filter((i) => i.type === type));
    const shown = level >= 0 && !view ? new Set(opened) : open;
    const size = { width: shortened(left + right), height: shortened(height) };
    return { ...size, items, boxes, frames, arrows, opened: shown };
  }

  /** Whether a box of a view opens here, apart, or not at all. */
  openable(view, id, opened = new Set()) {
    const item = this.compose(view, opened).items.find((i) => i.id === id);
    return item?.opens ?? (!view && this.here.has(id) ? "here" : null);
  }

  /**
   * Draw a picture into an element of an SVG.
   *
   * @param {Element} root whose children are replaced.
   * @param {object} composed what `compose` returned.
   * @param {object} page textOf: the text of a slot; describe: an item in words; classOf: more
   *   classes of an item.
   */
  drawInto(root, composed, page) {
    const pen = new Pen(this.type, page);
    const arrows = svg("g", { "aria-hidden": "true", "pointer-events": "none" });
    arrows.append(...composed.arrows.map((arrow) => pen.arrow(arrow)));
    const back = svg("g", { "aria-hidden": "true" });
    back.append(...composed.frames.map((frame) => pen.frame(frame)));
    root.replaceChildren(back, ...composed.items.map((item) => pen.item(item)), arrows);
    pen.narrow();
  }
}

function svg(tag, attributes = {}, ...children) {
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
    Object.assign(this, { type, page, drawn: new Set(), longer: [] });
  }

  /** A line of text; what became longer than `room` is narrowed once it can be measured. */
  text(line, attributes, room) {
    const parts = line.map((part) => (typeof part === "string" ? part : this.page.textOf(part)));
    const font = { "font-size": this.type.size, "xml:space": "preserve" };
    const element = svg("text", { ...font, ...attributes }, parts.join(""));
    const isChanged = line.some((part, i) => part.t !== undefined && part.t !== parts[i]);
    if (isChanged && room) this.longer.push([element, room]);
    return element;
  }

  narrow() {
    for (const [element, room] of this.longer) {
      if (element.getComputedTextLength() <= room) continue;
      element.setAttribute("textLength", shortened(room));
      element.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }

  frame({ x, y, width, height, failed }) {
    return svg("rect", { class: failed ? "frame failed" : "frame", x, y, width, height });
  }

  /** An arrow; a piece that another one has drawn is left out: twice it would look bold. */
  arrow({ points, failed, words }) {
    const { line, head, note } = this.type;
    const wide = failed ? 2 * line : line;
    const [[x0, y0], [x1, y1]] = points.slice(-2);
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    const reach = Math.min(head[0] * wide, 0.8 * length);
    const [bx, by] = [x1 - reach * ux, y1 - reach * uy];
    const half = (head[1] * wide) / 2;
    const text = (point) => point.map(shortened).join(" ");
    const stops = [...points.slice(0, -1), [bx, by]].map(text);
    const pieces = stops.slice(1).map((stop, i) => `M${stops[i]} L${stop}`);
    const fresh = pieces.filter((piece) => failed || !this.drawn.has(piece));
    fresh.forEach((piece) => this.drawn.add(piece));
    const corners = [[x1, y1], [bx - half * uy, by + half * ux], [bx + half * uy, by - half * ux]];
    const label = words && svg("text", {
      x: words[0], y: words[1], class: failed ? "flow" : "flow times", "font-size": note, "text-anchor": "middle",
    }, words[2]);
    return svg(
      "g",
      { class: failed ? "arrow failed" : "arrow" },
      svg("path", { d: fresh.join(" "), "stroke-width": wide }),
      svg("polygon", { points: corners.map(text).join(" ") }),
      ...(label ? [label] : []),
    );
  }

  item(item) {
    const isOpen = item.type === "frame";
    const { failed, opens, optional } = item;
    const own = ["item", isOpen ? "caption" : "box", `kind-${item.kind}`, ...this.page.classOf(item)];
    const flags = { failed, optional, openable: !isOpen && opens };
    return svg(
      "g",
      {
        class: [...own, ...Object.keys(flags).filter((flag) => flags[flag])].join(" "),
        role: "button",
        tabindex: "-1",
        "data-id": item.id,
        "aria-label": this.page.describe(item),
        "aria-expanded": opens === "here" ? String(isOpen) : null,
      },
      ...(isOpen ? this.caption(item) : this.box(item)),
    );
  }

  box(item) {
    const { x, y, width, height, lines, optional } = item;
    const { size, leading } = this.type;
    const [rx, ry] = [width / 2, height / 2];
    const dashes = { "stroke-dasharray": optional ? "4 3" : null };
    const shape = item.round
      ? svg("ellipse", { class: "shape round", cx: x + rx, cy: y + ry, rx, ry, ...dashes })
      : svg("rect", { class: "shape", x, y, width, height, ...dashes });
    const top = y + (height - leading * lines.length) / 2 + leading / 2 + 0.35 * size;
    const at = (i) => ({ x: x + rx, y: shortened(top + i * leading), class: "label", "text-anchor": "middle" });
    return [
      shape,
      ...lines.map((line, i) => this.text(line, at(i), width - 4)),
      ...this.beside(item, y + ry + 0.35 * size),
      this.ring(item),
      ...(item.opens ? [this.sign(x + width, y, true)] : []),
    ];
  }

  caption(item) {
    const { x, y, width } = item;
    const { size, leading, gap } = this.type;
    const baseline = shortened(y + 1.15 * size);
    return [
      svg("rect", { class: "hit", x, y, width, height: leading + 4 }),
      this.text(item.lines[0], { x: x + gap, y: baseline, class: "caption-label" }, width - 2 * gap),
      ...this.beside(item, baseline),
      this.ring(item),
      ...(item.opens ? [this.sign(x, y, false)] : []),
    ];
  }

  /** The size beside a box or frame. */
  beside({ x, width, size }, y) {
    return size ? [this.text(size, { x: shortened(x + width + this.type.beside), y: shortened(y), class: "size" })] : [];
  }

  ring({ x, y, width, height }) {
    return svg("rect", { class: "ring", x: x - 2, y: y - 2, width: width + 4, height: height + 4, rx: 3 });
  }

  /** The plus or minus that says that a block can be opened or closed. */
  sign(x, y, isPlus) {
    const d = `M${x - 2.4} ${y}h4.8${isPlus ? `M${x} ${y - 2.4}v4.8` : ""}`;
    return svg("g", { class: "sign", "aria-hidden": "true" }, svg("circle", { cx: x, cy: y, r: 4.5 }), svg("path", { d }));
  }
}
