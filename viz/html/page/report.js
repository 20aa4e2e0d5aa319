// Collects findings and says why a shape does not fit, in the compiler's words (compiler/lower/blame.py).

class Report {
  constructor() {
    this.findings = [];
    this.seen = new Set();
  }

  /** Record {code, message, at, help}; a block that is used ten times is one cause. */
  add(finding) {
    const once = ["shape-mismatch", "empty-output", "wrong-size"].includes(finding.code);
    const key = JSON.stringify([finding.code, finding.at, once ? "" : finding.message]);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.findings.push({ help: "", ...finding });
  }

  inFileOrder() {
    return [...this.findings].sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1] || a.at[2] - b.at[2]);
  }
}

const JOINS = { Concat: "concat", Add: "add", Subtract: "subtract", Multiply: "multiply", Maximum: "take the maximum of" };

/** Return the finding for an operation that does not fit its operands; `errata` is id -> record. */
function blame(error, node, operands, nodes, errata) {
  if (node.op.kind in JOINS && error.code === "shape-mismatch") return blameJoin(node, operands, nodes, errata);
  return {
    code: error.code,
    message: `\`${node.name}\`: ${error.message}`,
    at: node.info.at,
    help: error.help,
    node: node.name,
    operands: operands.map((o) => o.name),
  };
}

function blameJoin(node, operands, nodes, errata) {
  const sizes = operands.map((o) => (node.op.kind === "Concat" && o.shape.length === 1 ? tuple(o.shape) : paper(o.shape)));
  const odd = oddOne(sizes, node);
  const culprit = makerOf(operands[odd], nodes);
  const unequal = [...new Set(sizes.filter((s) => s !== sizes[odd]))].join(" and ");
  const verb = JOINS[node.op.kind];
  return {
    code: "shape-mismatch",
    message: `\`${node.name}\` cannot ${verb} ${sizes[odd]} with ${unequal || sizes[odd]}`,
    at: culprit.info.at,
    help: helpFromErrata(culprit, node, errata) || helpForJoin(node, operands, odd, culprit),
    node: node.name,
    operands: [operands[odd].name],
  };
}

const withoutChannels = (size) => size.slice(0, Math.max(0, size.lastIndexOf("x")));

/** The operand to blame: unlike the printed size, else unlike the majority, else the last. */
function oddOne(sizes, node) {
  const key = node.op.kind === "Concat" ? withoutChannels : (size) => size;
  const keys = sizes.map(key);
  if (node.info.size) {
    const wanted = key(node.info.size);
    const wrong = keys.findIndex((k) => k !== wanted);
    if (wrong >= 0 && keys.some((k) => k === wanted)) return wrong;
  }
  const count = (k) => keys.filter((other) => other === k).length;
  const common = keys.reduce((best, k) => (count(k) > count(best) ? k : best), keys[0]);
  return count(common) > 1 ? keys.findIndex((k) => k !== common) : sizes.length - 1;
}

/** The node that gave a tensor its sizes: norms and activations keep them. */
function makerOf(node, nodes) {
  const keeps = (op) => op.traced?.keeps ?? ["BatchNorm", "Activation", "PReLU", "Scale", "Dropout", "Identity"].includes(op.kind);
  while (keeps(node.op) && node.inputs.length) {
    node = nodes.get(node.inputs[0]);
  }
  return node;
}

/** What a recorded erratum says should be built, where one explains the misfit. */
function helpFromErrata(culprit, node, errata) {
  const own = culprit.info.errata ?? [];
  const recorded = [...own, ...(node.info.errata ?? [])].filter((id) => errata[id]?.severity === "unbuildable");
  const width = showDim(culprit.shape[0]);
  const telling = recorded.filter((id) => (errata[id].printed.match(/\d+/g) ?? []).includes(width));
  const found = telling.length ? telling : recorded;
  const id = found.find((e) => own.includes(e)) ?? found[0];
  return id ? `erratum ${id}: build ${errata[id].built}` : "";
}

/** The letters of grids that are left open by different inputs; "" if none are. */
function lettersApart(operands) {
  const texts = operands.map((o) => [...new Set(o.shape.slice(1).flatMap(lettersOf))].map((x) => `\`${x}\``).join(", "));
  const apart = [...new Set(texts)];
  return apart.length > 1 && apart.every(Boolean) ? apart.join(" and ") : "";
}

function helpForJoin(node, operands, odd, culprit) {
  const letters = lettersApart(operands);
  if (letters) return `use the same letters in the inputs: ${letters} are open on their own`;
  if (node.op.kind === "Concat") return "give the branches the same total stride, or pad them alike";
  const other = operands.find((_, i) => i !== odd) ?? operands[odd];
  const channels = showDim(other.shape[0]);
  const grids = new Set(operands.map((o) => showSizes(o.shape.slice(1))));
  if (grids.size > 1) {
    const last = showDim(operands[operands.length - 1].shape[0]);
    return `project \`${operands[0].name}\` with a 1x1 convolution to ${last} that has the same total stride`;
  }
  const how = other.shape.length > 1 ? "a 1x1 convolution" : "a `linear`";
  const project = `project \`${operands[odd].name}\` with ${how} to ${channels}`;
  const width = { Conv2d: "filters", Linear: "linear" }[culprit.op.kind];
  if (!width) return project;
  const written = culprit.written.filters;
  return `set \`${width}\` to ${channels}${written ? ` (it is \`${written}\` now)` : ""}, or ${project}`;
}

/** The most that can be said of the output of an operation that does not fit. */
function recover(op, shapes) {
  if (op.traced) return recoverTraced(op, shapes);
  const first = shapes[0]?.[0] ?? null;
  switch (op.kind) {
    case "Concat": {
      const total = sum(shapes.map((s) => s[0]));
      if (new Set(shapes.map((s) => s.length)).size > 1) return [total, null, null];
      return [total, ...axes(shapes.map((s) => s.slice(1))).map((dims) => (dims.every((d) => sameDim(d, dims[0])) ? dims[0] : null))];
    }
    case "Add":
    case "Subtract":
    case "Maximum":
    case "Multiply":
      if (new Set(shapes.map((s) => s.length)).size === 1) return axes(shapes).map(majority);
      return [first, null, null];
    case "Conv2d":
      return [op.filters || null, null, null];
    case "Linear":
      return [op.features || null];
    case "Flatten":
    case "GlobalPool2d":
    case "Normalize":
      return [shapes.length && shapes[0].length === 1 ? first : null];
    default:
      return [first, null, null];
  }
}

/** The commonest known size, the first operand's on a tie. */
function majority(dims) {
  const sizes = dims.filter((d) => d !== null);
  const count = (d) => sizes.filter((e) => sameDim(d, e)).length;
  return sizes.reduce((best, d) => (best === null || count(d) > count(best) ? d : best), null);
}
