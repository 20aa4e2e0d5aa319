// Takes bends out of arrows where the straight line touches no box, and parts the arrowheads
// that meet one box. The rules are those of viz/layout/straighten.py and viz/layout/ports.py.

const CLEARANCE = 3;
const REACH = 0.36;

function straightenArrows(figure) {
  const items = [...walk(figure.items)];
  const boxes = items.filter((i) => i.type === "box").map(roomOfBox);
  for (const arrow of figure.arrows) {
    let { points } = arrow;
    for (let i = 1; i < points.length - 1; i += 1) {
      const [a, b, c] = points.slice(i - 1, i + 2);
      const straight = Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) < 1e-6;
      const isGate = b[2] && !straight;
      if (isGate || (!straight && !isClear(a, c, boxes))) continue;
      points = points.filter((_, k) => k !== i);
      i = 0;
    }
    arrow.points = points;
    leaveAside(arrow);
  }
}

/** The rectangle of a box with the size beside it. */
function roomOfBox({ area, beside }) {
  return { left: area.x, right: area.x + area.width + beside, top: area.y, bottom: area.y + area.height };
}

/** An arrow that goes off to a lane beside its box leaves the box's edge on that side. */
function leaveAside({ tail, points }) {
  const [[x, y, isGate], [next]] = points;
  if (points.length > 2 && !tail.round && Math.abs(next - x) > tail.width / 2) {
    points[0] = [x + Math.sign(next - x) * REACH * tail.width, y, isGate];
  }
}

function isClear(a, b, boxes) {
  return !boxes.some((box) => {
    const touches = ([x, y]) => x >= box.left && x <= box.right && (Math.abs(y - box.top) < 1e-6 || Math.abs(y - box.bottom) < 1e-6);
    const grow = touches(a) || touches(b) ? -0.1 : CLEARANCE;
    return clips(a, b, box.left - grow, box.top - grow, box.right + grow, box.bottom + grow);
  });
}

/** True when part of a segment lies inside a rectangle (Liang and Barsky). */
function clips([x0, y0], [x1, y1], left, top, right, bottom) {
  let start = 0;
  let end = 1;
  for (const [delta, distance] of [[x0 - x1, x0 - left], [x1 - x0, right - x0], [y0 - y1, y0 - top], [y1 - y0, bottom - y0]]) {
    if (delta === 0 && distance <= 0) return false;
    if (delta < 0) start = Math.max(start, distance / delta);
    if (delta > 0) end = Math.min(end, distance / delta);
  }
  return start < end;
}

function spreadHeads(arrows) {
  const heads = new Map();
  for (const arrow of arrows) heads.set(arrow.head, [...(heads.get(arrow.head) ?? []), arrow]);
  for (const [box, into] of heads) {
    if (box.round) into.forEach((arrow) => meetCircle(arrow.points, box));
    else if (into.length > 1) spreadOverEdge(into, REACH * box.width);
  }
}

function meetCircle(points, box) {
  const [px, py] = points.at(-2);
  const x = box.area.x + box.width / 2;
  const y = box.area.y + box.height / 2;
  const length = Math.hypot(px - x, py - y) || 1;
  points[points.length - 1] = [x + ((px - x) / length) * (box.width / 2), y + ((py - y) / length) * (box.width / 2)];
}

/** An arrow that comes straight from below keeps the middle; the others keep their order. */
function spreadOverEdge(arrows, reach) {
  const lean = ({ points }) => {
    const [[px, py], [x, y]] = points.slice(-2);
    return (px - x) / Math.max(py - y, 1e-6);
  };
  for (const side of [-1, 1]) {
    const leaning = arrows.filter((a) => side * lean(a) > 1e-6).sort((a, b) => side * (lean(a) - lean(b)));
    leaning.forEach((arrow, i) => {
      const [x, y] = arrow.points.at(-1);
      arrow.points[arrow.points.length - 1] = [x + (side * reach * (i + 1)) / leaning.length, y];
    });
  }
}
