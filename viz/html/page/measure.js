// Boxes -> their lines of text and their size, as viz/layout/measure.py does. Lengths are SVG units.

const FONT = 12;
const NOTE = 10;
const LEADING = 1.22 * FONT;
const PAD_X = 9;
const PAD_Y = 6;
const ROW_GAP = 23;
const COLUMN_GAP = 17;
const SIZE_GAP = 7;
const LONGEST_LINE = 24 * FONT;
const MOST_LINES = 6;
const FAMILY = '"Liberation Sans", Arimo, Arial, Helvetica, sans-serif';

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
  // In one pile the figure is as wide as its widest box anyway: there more boxes share a width.
  const usual = (hasColumns ? 1.6 : 3) * sorted[Math.floor(sorted.length / 2)];
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
