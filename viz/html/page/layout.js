// Figure -> places, bottom to top: measured inside out, placed outside in, as viz/layout/cells.py
// does. Lengths are SVG units; while measuring, y grows upwards and x counts from an item's spine.

const FONT = 12;
const NOTE = 10;
const LEADING = 1.22 * FONT;
const PAD_X = 9;
const PAD_Y = 6;
const ROW_GAP = 23;
const COLUMN_GAP = 17;
const FRAME_PAD = 12;
const SIZE_GAP = 7;
const LANE = 7;
const LANE_GAP = 12;
const MARGIN = 14;
const FAN_SLOPE = 0.22;
const FAN_LIMIT = 2.6;
const LONGEST_LINE = 24 * FONT;
const MOST_LINES = 6;
const FAMILY = '"Liberation Sans", Arimo, Arial, Helvetica, sans-serif';
const BELOW = -1;
const ABOVE = Infinity;

const pencil = document.createElement("canvas").getContext("2d");

function textWidth(text, size = FONT) {
  pencil.font = `${size}px ${FAMILY}`;
  return pencil.measureText(text).width;
}

/** Words -> lines that fit a box; what stands in brackets at the end has its own where boxes stand in columns. */
function linesOf(label, atBracket) {
  const text = visible(label.slice(0, 400)) + (label.length > 400 ? "\u2026" : "");
  const cut = text.indexOf(" (");
  const parts = atBracket && cut > 0 && text.endsWith(")") ? [text.slice(0, cut), text.slice(cut + 1)] : [text];
  const lines = parts.flatMap(wrap);
  return lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES - 1), "\u2026"] : lines;
}

function wrap(line) {
  if (textWidth(line) <= LONGEST_LINE) return [line];
  const out = [];
  let current = "";
  for (const piece of line.split(" ").flatMap(cutWord)) {
    const longer = current ? `${current} ${piece}` : piece;
    if (current && textWidth(longer) > LONGEST_LINE) {
      out.push(current);
      current = piece;
    } else current = longer;
  }
  return [...out, current];
}

function cutWord(word) {
  if (textWidth(word) <= LONGEST_LINE) return [word];
  const size = Math.max(1, Math.floor((word.length * LONGEST_LINE) / textWidth(word)) - 1);
  return word.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [word];
}

/** Give every box its lines, width and height; ordinary boxes of one frame share both. */
function measureScope(items) {
  const boxes = [];
  let hasColumns = false;
  const collect = (list) => list.forEach((item) => {
    if (item.type === "box") boxes.push(item);
    else if (item.type === "group") measureScope(item.items);
    else {
      hasColumns ||= item.columns.filter((c) => c.length).length > 1;
      item.columns.forEach(collect);
    }
  });
  collect(items);
  boxes.forEach((box) => measureBox(box, hasColumns));
  const plain = boxes.filter((b) => !b.round && b.lines.length <= 3);
  if (!plain.length) return;
  const sorted = plain.map((b) => b.width).sort((a, b) => a - b);
  const usual = 1.6 * sorted[Math.floor(sorted.length / 2)];
  const width = Math.max(...sorted.filter((w) => w <= usual));
  const height = Math.max(...plain.map((b) => b.height));
  for (const box of boxes.filter((b) => !b.round)) {
    box.width = Math.max(box.width, width);
    if (box.lines.length <= 3) box.height = Math.max(box.height, height);
  }
}

function measureBox(box, hasColumns) {
  box.lines = linesOf(box.label, hasColumns);
  box.beside = box.size ? SIZE_GAP + textWidth(box.size) : 0;
  box.round = box.kind === "add" && box.label.length === 1;
  if (box.round) box.width = box.height = 1.7 * FONT;
  else {
    box.width = Math.max(...box.lines.map((l) => textWidth(l))) + 2 * PAD_X + (box.openable ? 14 : 0);
    box.height = LEADING * box.lines.length + 2 * PAD_Y;
  }
}

/** Which items of each list data flows between, seen from every level of the hierarchy. */
class Flows {
  constructor(figure) {
    this.paths = new Map();
    this.flows = new Map();
    this.trace(figure.items, []);
    for (const arrow of figure.arrows) this.follow(this.paths.get(arrow.tail), this.paths.get(arrow.head));
  }

  trace(items, above) {
    items.forEach((item, index) => {
      const path = [...above, { items, index, item }];
      if (item.type === "box") this.paths.set(item, path);
      else if (item.type === "group") this.trace(item.items, path);
      else item.columns.forEach((column) => this.trace(column, path));
    });
  }

  meeting(tail, head) {
    let depth = 0;
    while (tail[depth].item === head[depth].item && tail[depth + 1].items === head[depth + 1].items) depth += 1;
    return depth;
  }

  follow(tail, head) {
    const depth = this.meeting(tail, head);
    this.note(tail[depth].items, tail[depth].index, head[depth].index);
    for (const step of tail.slice(depth + 1)) this.note(step.items, step.index, ABOVE);
    for (const step of head.slice(depth + 1)) this.note(step.items, BELOW, step.index);
  }

  note(items, from, to) {
    if (!this.flows.has(items)) this.flows.set(items, new Map());
    this.flows.get(items).set(`${from} ${to}`, { from, to });
  }

  of(items) {
    return [...(this.flows.get(items)?.values() ?? [])];
  }
}

const emptyColumn = (item) => (item.type === "parallel" ? item.columns.findIndex((c) => !c.length) : -1);

/** How far lines must rise to spread over the columns of an item. */
function fanOf(item) {
  if (item?.type !== "parallel" || item.cell.places.length < 2) return 0;
  const reach = Math.max(...item.cell.places.map(Math.abs));
  return Math.min(Math.max(ROW_GAP, FAN_SLOPE * reach), FAN_LIMIT * ROW_GAP);
}

function cellOf(item, flows) {
  if (item.type === "box") return { left: item.width / 2, right: item.width / 2 + item.beside, height: item.height };
  return item.type === "parallel" ? parallelCell(item, flows) : groupCell(item, flows);
}

function parallelCell(item, flows) {
  const columns = item.columns.map((column) => seriesCell(column, flows));
  const places = [];
  let right = 0;
  for (const column of columns) {
    places.push(right + (places.length ? COLUMN_GAP : 0) + column.left);
    right = places.at(-1) + column.right;
  }
  const spine = item.spine === null ? (places[0] + places.at(-1)) / 2 : places[item.spine];
  const height = Math.max(...columns.map((c) => c.height));
  return { left: spine, right: right - spine, height, columns, places: places.map((x) => x - spine) };
}

function groupCell(item, flows) {
  const content = seriesCell(item.items, flows);
  item.lines = linesOf(item.label, false).slice(0, 1);
  const lift = FRAME_PAD + fanOf(item.items[0]);
  const height = lift + content.height + Math.max(FRAME_PAD, fanOf(item.items.at(-1))) + LEADING + 6;
  const caption = textWidth(item.lines[0]) + 30;
  const beside = item.size ? SIZE_GAP + textWidth(item.size) : 0;
  // The caption stands on the side of the way out that has more room.
  const isAtRight = content.right > content.left;
  item.captionAt = isAtRight ? 6 : null;
  const left = Math.max(content.left, isAtRight ? 0 : caption) + FRAME_PAD;
  const right = Math.max(content.right, isAtRight ? caption + 6 : 0) + FRAME_PAD;
  return { left, right: right + beside, height, content, lift, beside };
}

/** Items one above the other; what passes items goes along an empty column or a lane at the right. */
function seriesCell(items, flows) {
  if (!items.length) return { left: LANE, right: LANE, height: 0, places: [], ways: new Map() };
  for (const item of items) item.cell = cellOf(item, flows);
  const places = [];
  let top = 0;
  items.forEach((item, i) => {
    if (i) top += Math.max(ROW_GAP, fanOf(item), fanOf(items[i - 1]));
    places.push(top);
    top += item.cell.height;
  });
  const cell = {
    left: Math.max(...items.map((i) => i.cell.left)),
    right: Math.max(...items.map((i) => i.cell.right)),
    height: top,
    places,
    ways: new Map(),
  };
  addWays(items, flows.of(items), cell);
  return cell;
}

function addWays(items, found, cell) {
  const lanes = [];
  const passed = ({ from, to }) => items.slice(from + 1, Math.min(to, items.length));
  const long = found.filter((flow) => passed(flow).length && flow.from !== flow.to);
  long.sort((a, b) => passed(a).length - passed(b).length);
  for (const flow of long) {
    const key = `${flow.from} ${flow.to}`;
    const between = passed(flow);
    if (between.every((item) => emptyColumn(item) >= 0)) {
      cell.ways.set(key, between.flatMap((item, i) => alongColumn(item, cell.places[flow.from + 1 + i])));
      continue;
    }
    const first = flow.from + 1;
    const last = Math.min(flow.to, items.length) - 1;
    // Lanes that end where another one begins would read as one line.
    const taken = lanes.filter((lane) => lane.first <= last + 1 && first <= lane.last + 1).map((lane) => lane.x);
    let x = Math.max(...between.map((i) => i.cell.right)) + LANE_GAP;
    while (taken.some((t) => Math.abs(t - x) < LANE_GAP)) x += LANE_GAP;
    lanes.push({ first, last, x });
    const bottom = cell.places[first] - ROW_GAP / 2;
    const top = cell.places[last] + items[last].cell.height + ROW_GAP / 2;
    cell.ways.set(key, [[x, flow.from === BELOW ? 0 : bottom], [x, flow.to === ABOVE ? cell.height : top]]);
    cell.right = Math.max(cell.right, x + LANE);
  }
}

function alongColumn(item, bottom) {
  const x = item.cell.places[emptyColumn(item)];
  return [[x, bottom], [x, bottom + item.cell.height]];
}

/** Place a figure: every box and frame gets `area`, every arrow `points`; y grows downwards. */
function layOut(figure) {
  measureScope(figure.items);
  const flows = new Flows(figure);
  const whole = seriesCell(figure.items, flows);
  const spots = new Map();
  placeSeries(figure.items, whole, 0, 0, spots);
  const routes = figure.arrows.map((arrow) => routeOf(arrow, flows, spots));
  const xs = routes.flat().map(([x]) => x);
  const left = Math.max(whole.left, ...xs.map((x) => -x)) + MARGIN;
  const width = left + Math.max(whole.right, ...xs) + MARGIN;
  const height = whole.height + 2 * MARGIN;
  const flip = ([x, y, isGate]) => [x + left, height - MARGIN - y, isGate];
  for (const [item, spot] of spots) {
    if (item.type === "parallel" || Array.isArray(item)) continue;
    const [x, bottom] = flip([spot.x, spot.y]);
    const side = item.type === "box" ? item.width / 2 : item.cell.left;
    const wide = item.type === "box" ? item.width : item.cell.left + item.cell.right - item.cell.beside;
    item.spine = x;
    item.area = { x: x - side, y: bottom - item.cell.height, width: wide, height: item.cell.height };
  }
  figure.arrows.forEach((arrow, i) => { arrow.points = routes[i].map(flip); });
  straightenArrows(figure);
  spreadHeads(figure.arrows);
  return { width, height };
}

function placeSeries(items, cell, x, y, spots) {
  spots.set(items, { x, y, cell });
  items.forEach((item, i) => {
    const spot = { x, y: y + cell.places[i] };
    spots.set(item, spot);
    if (item.type === "group") placeSeries(item.items, item.cell.content, spot.x, spot.y + item.cell.lift, spots);
    if (item.type === "parallel") {
      item.columns.forEach((column, c) => placeSeries(column, item.cell.columns[c], x + item.cell.places[c], spot.y, spots));
    }
  });
}

/** A way that touches no box: out of what holds the tail, across, and in again; frames have gates. */
function routeOf(arrow, flows, spots) {
  const tail = flows.paths.get(arrow.tail);
  const head = flows.paths.get(arrow.head);
  const depth = flows.meeting(tail, head);
  const ways = (step, from, to) => {
    const { x, y, cell } = spots.get(step.items);
    return (cell.ways.get(`${from} ${to}`) ?? []).map(([dx, dy]) => [x + dx, y + dy]);
  };
  const top = (item) => spots.get(item).y + item.cell.height;
  const points = [[spots.get(arrow.tail).x, top(arrow.tail)]];
  for (let level = tail.length - 1; level > depth; level -= 1) {
    points.push(...ways(tail[level], tail[level].index, ABOVE));
    points.push([points.at(-1)[0], top(tail[level - 1].item), tail[level - 1].item.type === "group"]);
  }
  points.push(...ways(tail[depth], tail[depth].index, head[depth].index));
  const end = [[spots.get(arrow.head).x, spots.get(arrow.head).y]];
  for (let level = head.length - 1; level > depth; level -= 1) {
    end.push(...ways(head[level], BELOW, head[level].index).reverse());
    const holder = head[level - 1].item;
    const { x, y } = spots.get(holder);
    end.push(holder.type === "group" ? [x, y, true] : [end.at(-1)[0], y]);
  }
  return [...points, ...end.reverse()].filter((p, i, all) => !i || p[0] !== all[i - 1][0] || p[1] !== all[i - 1][1]);
}
