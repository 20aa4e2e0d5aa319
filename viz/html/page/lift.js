// How high short columns stand beside a tall one, and where the words at an arrow stand: the rules
// are those of viz/layout/lift.py and viz/layout/arrow_labels.py.

/** Return how far each column stands above the tallest one's lower edge; its rows keep boxes level. */
function liftsOf(columns, xs, below, above) {
  const tallest = columns.reduce((a, b) => (b.height > a.height ? b : a));
  const middles = columns.map((c) => (c.places.length ? (tallest.height - c.height) / 2 : 0));
  const rows = middles.map((m) => Math.max(0, ...tallest.places.filter((y) => y <= m + 1e-6)));
  const choices = [settled(rows), settled(middles), columns.map(() => 0)];
  const bends = choices.map((lifted) => bendsOf(columns, xs, lifted, below, above));
  return choices[bends.indexOf(Math.min(...bends))];
}

/** No column stands higher than both its neighbours: Figure 4 keeps it in their row. */
function settled(wanted) {
  const isInner = (i) => i > 0 && i < wanted.length - 1;
  return wanted.map((own, i) => (isInner(i) ? Math.min(own, Math.max(wanted[i - 1], wanted[i + 1])) : own));
}

/** Return how many arrows into and out of the columns cannot be straight. */
function bendsOf(columns, xs, lifted, below, above) {
  const height = Math.max(...columns.map((c) => c.height));
  const rects = columns.map((c, i) => ({
    left: xs[i] - c.left,
    right: xs[i] + c.right,
    top: lifted[i],
    bottom: lifted[i] + c.height,
    isSolid: c.places.length > 0,
  }));
  let count = 0;
  columns.forEach((column, i) => {
    if (!rects[i].isSolid) return;
    const others = rects.filter((rect, j) => rect.isSolid && j !== i);
    const isBent = (a, b) => !isClear(a, b, others);
    if (below !== null) count += isBent([0, -below], [xs[i], rects[i].top]);
    if (above !== null) count += isBent([xs[i], rects[i].bottom], [0, height + above]);
  });
  return count;
}

const WORD_GAP = 4;
const ALONG = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8];

/** Give every arrow with words their middle: clear of lines, boxes and other words. */
function placeWords(figure) {
  const items = [...walk(figure.items)];
  const taken = items.filter((i) => i.type === "box").map(roomOfBox);
  const pieces = figure.arrows.flatMap(({ points }) => points.slice(1).map((p, i) => [points[i], p]));
  for (const arrow of figure.arrows.filter((a) => a.told)) {
    const places = placesBeside(arrow.points, textWidth(arrow.told), FONT);
    const touched = (place) => taken.filter((rect) => overlap(rect, place)).length
      + pieces.filter(([a, b]) => clips(a, b, place.left, place.top, place.right, place.bottom)).length;
    const counts = places.map(touched);
    const place = places[counts.indexOf(Math.min(...counts))];
    taken.push(place);
    arrow.words = [(place.left + place.right) / 2, (place.top + place.bottom) / 2];
  }
}

/** Places beside an arrow: at its last piece first, on the side that it leans from. */
function placesBeside(points, width, height) {
  return points.slice(1).map((b, i) => [points[i], b]).reverse().flatMap(([a, b]) => {
    const sides = b[0] > a[0] + 1 ? [-1, 1] : [1, -1];
    return shiftsOf(a, b, width, height).flatMap(([dx, dy]) => ALONG.flatMap((part) => sides.map((side) => {
      const x = a[0] + part * (b[0] - a[0]) + side * dx;
      const y = a[1] + part * (b[1] - a[1]) + side * dy;
      return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
    })));
  });
}

/** How far from a line words must be: level with it where it is steep, then across. */
function shiftsOf(a, b, width, height) {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const [nx, ny] = [(a[1] - b[1]) / length, (b[0] - a[0]) / length];
  const away = (width * Math.abs(nx) + height * Math.abs(ny)) / 2 + WORD_GAP;
  const level = Math.abs(nx) > Math.abs(ny) ? [[away / nx, 0]] : [];
  return [...level, [away * nx, away * ny]];
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
