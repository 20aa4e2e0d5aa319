// Figure -> places, bottom to top: measured inside out, placed outside in, as viz/layout/cells.py
// does. Lengths are SVG units; while measuring, y grows upwards and x counts from an item's spine.

const FRAME_PAD = 12;
const LANE = 7;
const LANE_GAP = 12;
const MARGIN = 14;
const FAN_SLOPE = 0.25;
const FAN_LIMIT = 3;
const BELOW = -1;
const ABOVE = Infinity;

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

/** How far lines must rise to reach from one spine to all that lies between two x. */
function riseOf([left, right]) {
  if (left === right) return 0;
  const reach = Math.max(Math.abs(left), Math.abs(right));
  return Math.min(Math.max(ROW_GAP, FAN_SLOPE * reach), FAN_LIMIT * ROW_GAP);
}

/** `lower` and `upper` say between which x lines arrive from below and leave at the top. */
function cellOf(item, flows, isFirst, isLast) {
  if (item.type === "box") {
    const half = item.width / 2;
    return { left: half, right: half + item.beside, height: item.height, lower: [0, 0], upper: [0, 0] };
  }
  return item.type === "parallel" ? parallelCell(item, flows, isFirst, isLast) : groupCell(item, flows);
}

/** Columns side by side; what is first or last in a column of its own is reached from afar. */
function parallelCell(item, flows, isFirst, isLast) {
  const columns = item.columns.map((column) => seriesCell(column, flows, true));
  const places = [];
  let right = 0;
  for (const column of columns) {
    places.push(right + (places.length ? COLUMN_GAP : 0) + column.left);
    right = places.at(-1) + column.right;
  }
  const spine = item.spine === null ? (places[0] + places.at(-1)) / 2 : places[item.spine];
  const xs = places.map((x) => x - spine);
  const span = (side) => [
    Math.min(...columns.map((c, i) => xs[i] + c[side][0])),
    Math.max(...columns.map((c, i) => xs[i] + c[side][1])),
  ];
  const [lower, upper] = [span("lower"), span("upper")];
  const lifted = liftsOf(columns, xs, isFirst ? null : riseOf(lower), isLast ? null : riseOf(upper));
  const height = Math.max(...columns.map((c) => c.height));
  return { left: spine, right: right - spine, height, lower, upper, columns, places: xs.map((x, i) => [x, lifted[i]]) };
}

function groupCell(item, flows) {
  const content = seriesCell(item.items, flows);
  item.lines = linesOf(item.label, false).slice(0, 1);
  const lift = FRAME_PAD + riseOf(content.lower);
  const height = lift + content.height + Math.max(FRAME_PAD, riseOf(content.upper)) + LEADING + 6;
  const beside = item.size ? SIZE_GAP + textWidth(item.size) : 0;
  // The caption is bold, and so a little wider; it keeps clear of the way out.
  const left = Math.max(content.left, 1.1 * textWidth(item.lines[0]) + 30) + FRAME_PAD;
  const right = content.right + FRAME_PAD;
  return { left, right: right + beside, height, content, lift, beside, lower: [0, 0], upper: [0, 0] };
}

/** Items one above the other; what passes items goes along an empty column or a lane at the right. */
function seriesCell(items, flows, isColumn = false) {
  if (!items.length) return { left: LANE, right: LANE, height: 0, places: [], ways: new Map(), lower: [0, 0], upper: [0, 0] };
  const isAt = (i, end) => isColumn && i === end;
  items.forEach((item, i) => { item.cell = cellOf(item, flows, isAt(i, 0), isAt(i, items.length - 1)); });
  const found = flows.of(items);
  const chains = sideChains(items, found);
  const main = items.map((_, i) => i).filter((i) => !chains.some((c) => c.members.includes(i)));
  measureChains(items, chains, main);
  const cell = pileOf(items, main, chains);
  addWays(items, found, main, cell);
  placeChains(items, chains, cell);
  return cell;
}

/** The items of the main line one above the other, with room for the lines that lead aside. */
function pileOf(items, main, chains) {
  const places = [];
  let top = 0;
  main.forEach((i, k) => {
    const { cell } = items[i];
    const asides = chains.filter((c) => c.next === i).map((c) => riseOf([0, c.x]));
    if (k) top += Math.max(ROW_GAP, riseOf(cell.lower), riseOf(items[main[k - 1]].cell.upper), ...asides);
    places[i] = top;
    top += cell.height;
  });
  const cells = main.map((i) => items[i].cell);
  return {
    left: Math.max(...cells.map((c) => c.left)),
    right: Math.max(...cells.map((c) => c.right)),
    height: top,
    lower: cells[0].lower,
    upper: cells.at(-1).upper,
    places,
    asides: new Map(),
    ways: new Map(),
  };
}

function addWays(items, found, main, cell) {
  const lanes = [];
  const passed = ({ from, to }) => main.filter((i) => i > from && i < to);
  const isMain = (end) => end < 0 || end === ABOVE || main.includes(end);
  const long = found.filter((f) => isMain(f.from) && isMain(f.to) && f.from !== f.to && passed(f).length);
  long.sort((a, b) => passed(a).length - passed(b).length);
  for (const flow of long) {
    const key = `${flow.from} ${flow.to}`;
    const between = passed(flow);
    if (between.every((i) => emptyColumn(items[i]) >= 0)) {
      cell.ways.set(key, between.flatMap((i) => alongColumn(items[i], cell.places[i])));
      continue;
    }
    const [first, last] = [between[0], between.at(-1)];
    // Lanes that end where another one begins would read as one line.
    const taken = lanes.filter((lane) => lane.first <= last + 1 && first <= lane.last + 1).map((lane) => lane.x);
    let x = Math.max(...between.map((i) => items[i].cell.right)) + LANE_GAP;
    while (taken.some((t) => Math.abs(t - x) < LANE_GAP)) x += LANE_GAP;
    lanes.push({ first, last, x });
    const bottom = cell.places[first] - ROW_GAP / 2;
    const top = cell.places[last] + items[last].cell.height + ROW_GAP / 2;
    cell.ways.set(key, [[x, flow.from === BELOW ? 0 : bottom], [x, flow.to === ABOVE ? cell.height : top]]);
    cell.right = Math.max(cell.right, x + LANE);
  }
}

function alongColumn(item, bottom) {
  const [x] = item.cell.places[emptyColumn(item)];
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
  placeWords(figure);
  return { width, height };
}

function placeSeries(items, cell, x, y, spots) {
  spots.set(items, { x, y, cell });
  items.forEach((item, i) => {
    const spot = { x: x + (cell.asides?.get(i) ?? 0), y: y + cell.places[i] };
    spots.set(item, spot);
    if (item.type === "group") placeSeries(item.items, item.cell.content, spot.x, spot.y + item.cell.lift, spots);
    if (item.type === "parallel") {
      item.columns.forEach((column, c) => {
        const [dx, dy] = item.cell.places[c];
        placeSeries(column, item.cell.columns[c], spot.x + dx, spot.y + dy, spots);
      });
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
