// The input sizes at which a network fits: the counterpart of compiler/graph/residues.py and
// compiler/facts/working_sizes.py.
// Sizes are {period, rests, others, least}: rests modulo the period, and single sizes.

const MOST_CLASSES = 16384;
const ANY_SIZE = { period: 1, rests: [0], others: [], least: 1 };
const lcm = (a, b) => (a / gcd(a, b)) * b;
const floorsOf = (size) => termsOf(size).flatMap(([atoms]) => atoms.filter((a) => typeof a === "object"));
const periodOf = (size) => floorsOf(size).reduce((found, a) => lcm(found, a.divisor * periodOf(a.inner)), 1);
const isLinear = (size) => termsOf(size).every(([atoms]) => atoms.length <= 1) && floorsOf(size).every((a) => isLinear(a.inner));
const isMember = (sizes, n) =>
  typeof n === "number" && n >= sizes.least && (sizes.rests.includes(n % sizes.period) || sizes.others.includes(n));

/** The sizes at which a formula in one letter is 0, null where that cannot be said. */
function whereZero(difference) {
  const period = periodOf(difference);
  if (lettersOf(difference).length !== 1 || !isLinear(difference) || period > MOST_CLASSES) return null;
  const start = Array.from({ length: period }, (_, rest) => valueAt(difference, rest));
  const slope = valueAt(difference, period) - start[0];
  const rests = [...start.keys()];
  if (slope === 0) return reduced({ ...ANY_SIZE, period, rests: rests.filter((r) => start[r] === 0) });
  const roots = rests.filter((r) => Number.isInteger(-start[r] / slope) && -start[r] / slope >= 0).map((r) => r - (period * start[r]) / slope);
  return { ...ANY_SIZE, rests: [], others: roots.filter((n) => n >= 1) };
}

function reduced(sizes) {
  if (!sizes.rests.length) return { ...sizes, period: 1 };
  for (let small = 1; ; small += 1) {
    if (sizes.period % small) continue;
    const few = [...new Set(sizes.rests.map((r) => r % small))].sort((a, b) => a - b);
    if (few.length * (sizes.period / small) === sizes.rests.length) return { ...sizes, period: small, rests: few };
  }
}

function bothSizes(a, b) {
  const period = lcm(a.period, b.period);
  const rests = Array.from({ length: period }, (_, r) => r).filter((r) => a.rests.includes(r % a.period) && b.rests.includes(r % b.period));
  const others = [...new Set([...a.others, ...b.others])].filter((n) => isMember(a, n) && isMember(b, n) && !rests.includes(n % period));
  return reduced({ period, rests, others, least: Math.max(a.least, b.least) });
}

/** The largest member up to a size and the smallest from it on, null where there is none. */
function nearSizes(sizes, size) {
  const from = Math.max(size, sizes.least);
  const modulo = (n) => ((n % sizes.period) + sizes.period) % sizes.period;
  const below = [...sizes.others, ...sizes.rests.map((r) => size - modulo(size - r))].filter((n) => n >= sizes.least && n <= size);
  const above = [...sizes.others, ...sizes.rests.map((r) => from + modulo(r - from))].filter((n) => n >= from);
  return [below.length ? Math.max(...below) : null, above.length ? Math.min(...above) : null];
}

const spanText = ([first, last]) => (first === last ? String(first) : `${first} to ${last}`);

function runsOfNumbers(numbers, period = 0) {
  const there = new Set(numbers.flatMap((n) => [n, n + period, n - period]));
  const endOf = (n) => (there.has(n + 1) ? endOf(n + 1) : n);
  return numbers.filter((n) => !there.has(n - 1)).map((n) => [n, endOf(n)]);
}

function restsText({ period, rests }) {
  if (period === 1) return "";
  if (period === 2) return rests[0] === 0 ? "even" : "odd";
  const multiple = `multiples of ${period}`;
  if (rests.length === 1 && rests[0] === 0) return multiple;
  const runs = runsOfNumbers(rests, period);
  if (runs.length === 1 && rests.includes(0)) {
    const [[first, last]] = runs;
    const parts = [first ? `at most ${period - first} less` : "", last % period ? `at most ${last % period} more` : ""];
    return `${parts.filter(Boolean).join(" or ")} than ${multiple}`;
  }
  const spans = runs.map(spanText);
  return `${[...spans.slice(0, 3), ...(spans.length > 3 ? ["..."] : [])].join(", ")} more than ${multiple}`;
}

function sizesPhrase(sizes) {
  const single = [...sizes.others].filter((n) => n >= sizes.least).sort((a, b) => a - b);
  const words = [...(sizes.rests.length ? [restsText(sizes)] : []), ...runsOfNumbers(single).map(spanText)].join(" or ");
  let text = words && (sizes.rests.length ? `that are ${words}` : `of ${words}`);
  const [, first] = nearSizes(sizes, 1);
  if (sizes.rests.length && first !== null && first > sizes.period) text += `${text ? ", " : ""}from ${first}`;
  return text || "of any size";
}

function adviceOf([heights, widths], [height, width]) {
  const [tall, wide] = [sizesPhrase(heights), sizesPhrase(widths)];
  const isSame = JSON.stringify(heights) === JSON.stringify(widths);
  const text = isSame ? `heights and widths ${tall}` : `heights ${tall} and widths ${wide}`;
  const pairs = [[heights, height], [widths, width]].map(([sizes, n]) => nearSizes(sizes, typeof n === "number" ? n : 1));
  const near = [0, 1].map((i) => pairs.map((pair) => pair[i] ?? pair[1 - i]).join("x"));
  return `${text}, such as ${[...new Set(near)].join(" and ")}${openForm([heights, widths], [height, width])}`;
}

/** How open sizes that fit are written, "" where the sizes are numbers or no multiples. */
function openForm(pair, grid) {
  const isMultiple = (sizes) => sizes.rests.includes(0);
  if (!grid.some(isSymbolic) || grid.some((dim, i) => isSymbolic(dim) && !isMultiple(pair[i]))) return "";
  const parts = grid.map((dim, i) => {
    if (!isSymbolic(dim)) return nearSizes(pair[i], dim ?? 1).reverse().find(Boolean);
    const factor = dim.terms.reduce((found, [, by]) => lcm(found, by), pair[i].period);
    return showDim(multiplySizes(symbolic(lettersOf(dim)[0]), factor));
  });
  return `, or ${parts.join("x")} where they are left open`;
}

/** The inputs' shapes with height and width as letters. */
function openInputs(graph) {
  const prefixes = new Map();
  const own = new Set(graph.inputs.flatMap((name) => graph.nodes.get(name).shape.slice(1).flatMap(lettersOf)));
  return new Map(graph.inputs.map((name) => {
    const [channels, ...grid] = graph.nodes.get(name).shape;
    const key = showSizes(grid);
    if (grid.length && !prefixes.has(key)) prefixes.set(key, prefixes.size || own.has("H") || own.has("W") ? `${name}.` : "");
    return [name, [channels, ...grid.map((d, i) => (isSymbolic(d) && isLetter(d) ? d : symbolic(prefixes.get(key) + "HW"[i])))]];
  }));
}

/** What a node demands of the letters: [[letter, sizes]], null where that cannot be solved. */
function demandsOf(op, shapes) {
  if (!(op.kind in JOINS)) {
    const needs = leastGrid(op).map((room, axis) => [shapes[0][axis + 1], room]).filter(([dim]) => isSymbolic(dim));
    if (needs.some(([dim]) => lettersOf(dim).length !== 1)) return null;
    return needs.map(([dim, room]) => [lettersOf(dim)[0], { ...ANY_SIZE, least: leastLetter(dim, room) }]);
  }
  const compared = op.kind === "Concat" ? shapes.map((s) => s.slice(1)) : op.kind === "Multiply" ? spreadGates(shapes) : shapes;
  if (new Set(compared.map((s) => s.length)).size > 1) return null;
  const found = [];
  for (const [first, ...others] of compared[0].length ? axes(compared) : []) {
    for (const other of others) {
      if (first === null || other === null || sameDim(first, other)) continue;
      const difference = addSizes([first, multiplySizes(other, -1)]);
      if (!isSymbolic(difference)) continue;
      const sizes = whereZero(difference);
      if (sizes === null || (isSymbolic(first) && isSymbolic(other) && !sizes.rests.length)) return null;
      found.push([lettersOf(difference)[0], sizes]);
    }
  }
  return found;
}

/** The output shape of an operation whose operands fit. */
function fittingShape(op, shapes) {
  if (op.kind === "Concat") return [sum(shapes.map((s) => s[0])), ...axes(shapes).slice(1).map(agreed)];
  if (op.kind === "Multiply") return axes(spreadGates(shapes)).map(agreed);
  return op.kind in JOINS ? axes(shapes).map(agreed) : inferShape(op, shapes);
}

/** True where inputs have different multiples of one letter: the compiler alone says what fits then. */
function areTied(graph) {
  const dims = graph.inputs.flatMap((name) => graph.nodes.get(name).shape.slice(1)).filter(isSymbolic);
  return new Set(dims.map(showDim)).size > new Set(dims.flatMap(lettersOf)).size;
}

/** {sizes: input name -> [heights, widths] that fit, another: -> one of them}, null where they cannot be solved. */
function workingSizes(graph) {
  if (areTied(graph)) return null;
  const inputs = openInputs(graph);
  const found = new Map([...inputs.values()].flatMap((s) => s.slice(1)).map((d) => [lettersOf(d)[0], ANY_SIZE]));
  const shapes = new Map();
  for (const node of graph.nodes.values()) {
    const operands = node.inputs.map((name) => shapes.get(name));
    const isBroken = node.op.kind === "Identity" && tuple(node.shape) !== tuple(graph.nodes.get(node.inputs[0]).shape);
    if (isBroken) return null;
    if (node.op.kind === "Input") {
      shapes.set(node.name, inputs.get(node.name));
      continue;
    }
    const demands = demandsOf(node.op, operands);
    if (demands === null) return null;
    for (const [letter, sizes] of demands) {
      if (lcm(found.get(letter).period, sizes.period) > MOST_CLASSES) return null;
      found.set(letter, bothSizes(found.get(letter), sizes));
    }
    try {
      shapes.set(node.name, fittingShape(node.op, operands));
    } catch (error) {
      if (error instanceof ShapeError) return null;
      throw error;
    }
  }
  const maps = [...inputs].filter(([, shape]) => shape.length === 3);
  const isEmpty = (s) => !s.rests.length && !s.others.some((n) => n >= s.least);
  if (!maps.length || [...found.values()].some(isEmpty)) return null;
  const more = new Map([...found].map(([letter, sizes], place) => {
    const least = nearSizes(sizes, 1)[1] ?? 1;
    return [letter, nearSizes(sizes, least + 7 + 4 * place)[1] ?? least];
  }));
  const gridsOf = (values) => new Map(maps.map(([name, shape]) => [name, shape.slice(1).map((d) => values.get(lettersOf(d)[0]))]));
  return { sizes: gridsOf(found), another: gridsOf(more) };
}

/** True for what another input size may mend; a recorded erratum says better what does. */
function isOfSize(finding) {
  return ["empty-output", "shape-mismatch"].includes(finding.code) && !finding.help.startsWith("erratum ");
}

/** Say with each finding that other input sizes would mend which sizes those are. */
function saySizes(program, settings, graph) {
  if (!graph.findings.some(isOfSize)) return;
  const solved = workingSizes(graph);
  if (solved === null) return;
  const { sizes: working, another } = solved;
  const gridOf = (name) => graph.nodes.get(name).shape.slice(1);
  if ([...working].every(([n, pair]) => gridOf(n).every((d, i) => isMember(pair[i], d)))) return;
  const least = new Map([...working].map(([name, pair]) => [name, pair.map((s) => nearSizes(s, 1)[1])]));
  const shapesAt = (grids) => new Map(graph.inputs.map((name) => [name, [graph.nodes.get(name).shape[0], ...(grids.get(name) ?? gridOf(name))]]));
  const tried = [another, least].flatMap((grids) => lowerNetwork(program, settings, shapesAt(grids)).findings);
  const left = new Map(tried.map((f) => [f.code + f.at, f.help]));
  const smallest = [...least.values()].map((pair) => pair.join("x")).join(" and ");
  const texts = new Map([...working].map(([name, pair]) => [name, adviceOf(pair, gridOf(name))]));
  const isOne = new Set(texts.values()).size === 1;
  const advice = isOne ? [...texts.values()][0] : [...texts].map(([name, text]) => `\`${name}\`: ${text}`).join("; ");
  for (const finding of graph.findings) {
    if (!isOfSize(finding)) continue;
    const still = left.get(finding.code + finding.at);
    // Where the help is another one, channels are left to differ and grids are not.
    if (still === finding.help || still?.includes("the same total stride")) continue;
    if (still !== undefined) finding.help = `${still}, and of the grids these sizes fit: ${advice}`;
    else if (finding.code === "shape-mismatch") finding.help = `these sizes fit: ${advice}`;
    else finding.help = `the smallest input of this network is ${smallest}${finding.help ? `; ${finding.help}` : ""}`;
  }
}

/** Say with each error that an input kept its size, where growing with another mends it. */
function sayKept(program, settings, graph) {
  if (!settings.inputs.size || !graph.findings.some(isOfSize)) return;
  const before = new Map(program.inputs.map(({ name, dims }) => [name, dims.map((d) => (typeof graph.params[d] === "number" ? graph.params[d] : d))]));
  const after = (name) => graph.nodes.get(name).shape.map(showDim);
  const given = graph.inputs.filter((name) => `${after(name).slice(1)}` !== `${before.get(name).slice(1)}`);
  if (!given.length) return;
  const [old, now] = [before.get(given[0]).slice(1), graph.nodes.get(given[0]).shape.slice(1)];
  const grown = new Map();
  for (const name of graph.inputs) {
    const [channels, ...grid] = before.get(name);
    const sizes = grid.map((size, axis) => grownSize(size, old[axis], now[axis]));
    if (!given.includes(name) && sizes.length && !sizes.includes(null)) grown.set(name, [channels, ...sizes]);
  }
  if (!grown.size) return;
  const again = lowerNetwork(program, settings, new Map([...settings.inputs, ...grown]));
  const left = new Set(again.findings.map((f) => JSON.stringify([f.code, f.at])));
  const kept = [...grown.keys()].map((name) => `\`${name}\` kept its ${before.get(name).slice(1).join("x")}`).join(" and ");
  const options = [...grown].map(([name, dims]) => `--input ${name}=${showSizes(dims)}`).join(" ");
  for (const finding of graph.findings) {
    if (isOfSize(finding) && !left.has(JSON.stringify([finding.code, finding.at]))) {
      finding.help = `${kept}; give it the size too, ${options}`;
    }
  }
}

/** A size that grows as another does; null where it comes out broken. */
function grownSize(size, old, now) {
  if (size === old) return now;
  const whole = [size, old, now].every((n) => typeof n === "number") && (size * now) % old === 0 && size * now >= old;
  return whole ? (size * now) / old : null;
}
