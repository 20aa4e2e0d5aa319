// Graph -> figure as data: boxes, columns side by side, frames of opened blocks, and arrows. The
// rules are those of viz/diagram/box_builder.py; `opened` holds the names of the blocks that are open.

class Arranging {
  constructor(program, graph, opened) {
    Object.assign(this, { program, graph, opened });
    this.usual = conventionOf(graph);
    this.hidden = new Set();
    this.twins = new Map();
    this.exits = new Map();
  }

  figure() {
    const place = { drawing: this.program.drawing, inBranch: false, level: 1, around: 1 };
    const root = this.graph.regions.get("");
    let items = [...this.items(root.members, place), ...this.outputBoxes()];
    items = this.mergeHidden(items);
    return { items, arrows: this.arrows([...walk(items)].filter((i) => i.type === "box")) };
  }

  /** A box for each output where there are several, or one that is read further. */
  outputBoxes() {
    const { outputs, nodes } = this.graph;
    const isRead = (name) => [...nodes.values()].some((n) => n.inputs.includes(name));
    if (outputs.length === 1 && !isRead(outputs[0].node)) return [];
    return outputs.map((output) => {
      const id = `:${output.name}`;
      this.exits.set(id, output.node);
      const label = `Output ${output.name}${output.trainingOnly ? " (training only)" : ""}`;
      return { type: "box", id, label, kind: "output", size: null, members: [], times: 1, around: 1, level: 1, output: output.node };
    });
  }

  items(names, place) {
    return names.flatMap((name) => this.member(name, place));
  }

  member(name, place) {
    const region = this.graph.regions.get(name);
    if (!region || region.kind === "layer") return [this.layerBox([name], place)];
    if (!namesIn(this.graph, name).length) return [];
    if (region.kind === "block") return [this.block([name], place)];
    if (region.kind === "repeat") return this.repeat(region, place);
    if (region.kind === "branches" || region.kind === "residual") return this.parallel(region, place);
    return this.items(region.members, place);
  }

  layerBox(copies, place) {
    const [name] = copies;
    const members = namesIn(this.graph, name);
    const nodes = members.map((m) => this.graph.nodes.get(m));
    const { info } = this.graph.regions.get(name) ?? nodes[0];
    const main = nodes.find((n) => hasParameters(n.op)) ?? nodes[0];
    const isInput = main.op.kind === "Input";
    const words = isInput ? this.inputWords(nodes[0], place) : info.label ?? layerLabel(nodes, this.usual);
    const label = words + this.sharedWords(name, place);
    if (info.drawn === false || this.isResidualScale(nodes[0])) this.hidden.add(name);
    return {
      type: "box",
      id: name,
      label: copies.length > 1 ? `${copies.length} x ${label}` : label,
      kind: boxKind(main.op),
      size: this.sizeBeside(copies.at(-1), place, isInput),
      members: this.all(members),
      times: copies.length,
      around: place.around,
      failed: members.some((m) => this.graph.nodes.get(m).failed),
      level: place.level,
      info,
      main,
      output: this.outputOf(copies.at(-1)),
    };
  }

  /** ` (shared with a)` for what has the parameters of `a`. */
  sharedWords(name, place) {
    const nodes = namesIn(this.graph, name).map((m) => this.graph.nodes.get(m)).filter((n) => hasParameters(n.op));
    const [first] = nodes;
    if (place.isShared || !first?.share) return "";
    const restOf = (node) => node.name.slice(name.length);
    const rest = restOf(first);
    const owner = first.share.endsWith(rest) ? first.share.slice(0, first.share.length - rest.length) : first.share;
    const lentTo = (node) => {
      const twin = this.graph.nodes.get(owner + restOf(node));
      return twin && (twin.share ?? twin.name);
    };
    if (!nodes.every((node) => node.share === lentTo(node))) return "";
    const around = name.slice(0, name.lastIndexOf(".") + 1);
    return ` (shared with ${around && owner.startsWith(around) ? owner.slice(around.length) : owner})`;
  }

  inputWords(node, place) {
    if (place.drawing.input) return place.drawing.input;
    const size = paper(node.shape);
    return this.graph.inputs.length === 1 ? `Input (${size})` : `${node.name} (${size})`;
  }

  /** The scaling that a residual brings along has no box: it belongs to the addition. */
  isResidualScale(node) {
    return node.op.kind === "Scale" && this.graph.regions.get(node.parent)?.kind === "residual";
  }

  block(copies, place) {
    const region = this.graph.regions.get(copies[0]);
    const definition = this.program.blocks[region.definition];
    const title = region.info.label ?? region.info.title ?? definition.title;
    const members = namesIn(this.graph, region.name);
    const shared = this.sharedWords(region.name, place);
    const common = {
      id: region.name,
      label: (copies.length > 1 ? `${copies.length} x ${title}` : title) + shared,
      kind: blockKind(region.definition, title),
      size: this.sizeBeside(copies.at(-1), place, false),
      region,
      times: copies.length,
      around: place.around,
      level: place.level,
      info: region.info,
      members: this.all(members),
      output: this.outputOf(copies.at(-1)),
      failed: this.all(members).some((m) => this.graph.nodes.get(m).failed),
    };
    if (!this.opened.has(region.name)) {
      if (region.info.drawn === false) this.hidden.add(region.name);
      return { ...common, type: "box", openable: true };
    }
    const inner = { drawing: { ...definition.drawing, input: null }, inBranch: false, isShared: Boolean(place.isShared || shared), ...this.inside(place, copies) };
    return { ...common, type: "group", items: this.items(region.members, inner) };
  }

  /** A repeat: each run of equal copies as one box or frame. */
  repeat(region, place) {
    return runsOf(this.graph, region.members).flatMap((copies) => {
      this.pair(copies);
      const first = this.graph.regions.get(copies[0]);
      if (copies.length === 1) return this.member(copies[0], place);
      if (!first || first.kind === "layer") return [this.layerBox(copies, place)];
      return [first.kind === "block" ? this.block(copies, place) : this.frame(region, copies, place)];
    });
  }

  frame(region, copies, place) {
    const words = region.info.label ?? region.info.title;
    return {
      type: "group",
      id: copies[0],
      label: words ? `${copies.length} x ${words}` : `${copies.length} x`,
      kind: "block",
      size: this.sizeBeside(copies.at(-1), place, false),
      times: copies.length,
      around: place.around,
      level: place.level,
      info: region.info,
      region,
      isFixed: true,
      members: this.all(namesIn(this.graph, copies[0])),
      output: this.outputOf(copies.at(-1)),
      items: this.member(copies[0], { ...place, ...this.inside(place, copies) }),
    };
  }

  /** What holds inside a frame; `around`: for how many copies the frames around a thing stand. */
  inside({ level, around }, copies) {
    return { level: level + 1, around: around * copies.length };
  }

  /** Remember which nodes of later copies a node of the first stands for. */
  pair(copies) {
    const first = namesIn(this.graph, copies[0]);
    for (const copy of copies.slice(1)) {
      namesIn(this.graph, copy).forEach((twin, i) => {
        this.twins.set(first[i], [...(this.twins.get(first[i]) ?? []), twin]);
      });
    }
  }

  all(members) {
    const found = new Set(members);
    for (const name of found) for (const twin of this.twins.get(name) ?? []) found.add(twin);
    return [...found];
  }

  /** Columns and what joins them; a residual's shortcut stands at the left, in line with the rest. */
  parallel(region, place) {
    const isBranch = (m) => this.graph.regions.get(m)?.kind === "branch";
    const branches = region.members.filter(isBranch);
    if (region.kind === "residual") branches.reverse();
    const inner = { ...place, inBranch: true };
    const columns = branches.map((b) => this.items(this.graph.regions.get(b).members, inner));
    const rest = this.items(region.members.filter((m) => !isBranch(m)), place);
    if (!columns.length) return rest;
    return [{ type: "parallel", columns, spine: region.kind === "residual" ? 0 : null }, ...rest];
  }

  outputOf(name) {
    return this.graph.regions.get(name)?.output ?? name;
  }

  sizeBeside(name, place, isInput) {
    if (place.drawing.sizes === "none" || place.inBranch) return null;
    const text = paper(this.graph.nodes.get(this.outputOf(name)).shape);
    return place.drawing.sizes === "output" && !isInput ? `Output: ${text}` : text;
  }

  /** Put what is not drawn on its own into the box of the layer that reads it. */
  mergeHidden(items) {
    const boxes = [...walk(items)].filter((i) => i.type === "box");
    const owner = new Map(boxes.flatMap((box) => box.members.map((m) => [m, box])));
    const host = new Map();
    for (const box of boxes.slice().reverse().filter((b) => this.hidden.has(b.id))) {
      const readers = new Set();
      for (const node of this.graph.nodes.values()) {
        const reader = owner.get(node.name);
        if (reader && reader !== box && node.inputs.some((i) => owner.get(i) === box)) readers.add(reader);
      }
      if (readers.size === 1) host.set(box, host.get([...readers][0]) ?? [...readers][0]);
    }
    for (const box of boxes) {
      const into = host.get(box);
      if (into) Object.assign(into, { members: [...box.members, ...into.members], guests: [...(into.guests ?? []), box] });
      if (into && box.failed) into.failed = true;
    }
    return without(items, host);
  }

  /** Operations of a box that only pass on to another one in it what does not fit there. */
  carriersOf(box, owner) {
    const carriers = new Set();
    for (const name of box.members.slice().reverse()) {
      const { inputs, unfit } = this.graph.nodes.get(name);
      for (const source of inputs) {
        if (owner.get(source) === box && (carriers.has(name) || unfit?.includes(source))) carriers.add(source);
      }
    }
    return carriers;
  }

  /** How many operands each tensor is that a box reads: a block's are those that enter it. */
  readsOf(box) {
    const nodes = box.members.map((name) => this.graph.nodes.get(name));
    const isBlock = box.region?.kind === "block";
    const isSum = nodes.every(({ op }) => op.kind === "Add" || op.kind === "Scale");
    const lists = isBlock ? [box.region.inputs] : isSum ? [nodes.flatMap((n) => n.inputs)] : nodes.map((n) => n.inputs);
    const reads = new Map();
    for (const list of lists) {
      for (const source of list) reads.set(source, Math.max(reads.get(source) ?? 1, list.filter((s) => s === source).length));
    }
    return reads;
  }

  /** One arrow for each pair of boxes that data flows between; where it does not fit, all say what flows. */
  arrows(boxes) {
    const owner = new Map(boxes.flatMap((box) => box.members.map((m) => [m, box])));
    const order = new Map(boxes.map((box, i) => [box, i]));
    const found = new Map();
    const use = (source, head, failed, isTold) => {
      const tail = owner.get(source);
      if (!tail || order.get(tail) >= order.get(head)) return;
      const key = `${order.get(tail)} ${order.get(head)}`;
      if (failed || !found.has(key)) found.set(key, { tail, head, failed, isTold, shape: this.graph.nodes.get(source).shape });
    };
    const timesOf = ({ tail, head }) => Math.max(1, ...[...this.readsOf(head)].map(([s, n]) => (owner.get(s) === tail ? n : 1)));
    for (const box of boxes) {
      if (this.exits.has(box.id)) use(this.exits.get(box.id), box, false, false);
      const carriers = this.carriersOf(box, owner);
      for (const name of box.members) {
        const node = this.graph.nodes.get(name);
        for (const source of node.inputs) {
          const failed = carriers.has(name) || Boolean(node.unfit?.includes(source));
          use(source, box, failed, failed || Boolean(node.unfit));
        }
      }
    }
    return [...found.values()].map((arrow) => {
      const times = timesOf(arrow);
      const told = [arrow.isTold && paper(arrow.shape), times > 1 && `x${times}`].filter(Boolean).join(" ");
      return { ...arrow, times, told };
    });
  }
}

function without(items, host) {
  return items.filter((item) => !host.has(item)).map((item) => {
    if (item.type === "group") return { ...item, items: without(item.items, host) };
    if (item.type === "parallel") return { ...item, columns: item.columns.map((c) => without(c, host)) };
    return item;
  });
}

/** Every item of a figure, parents before children. */
function* walk(items) {
  for (const item of items) {
    yield item;
    if (item.type === "group") yield* walk(item.items);
    if (item.type === "parallel") for (const column of item.columns) yield* walk(column);
  }
}

/** The nodes that a node's or region's name stands for, in execution order. */
function namesIn(graph, name) {
  const region = graph.regions.get(name);
  if (!region) return [name];
  region.names ??= region.members.flatMap((m) => namesIn(graph, m));
  return region.names;
}

/** Copies of a repeat in runs of neighbours that compute and are drawn the same. */
function runsOf(graph, copies) {
  const out = [];
  let before = null;
  for (const name of copies) {
    const key = signatureOf(graph, name);
    if (key === before) out.at(-1).push(name);
    else out.push([name]);
    before = key;
  }
  return out;
}

function signatureOf(graph, name) {
  const members = namesIn(graph, name);
  const place = new Map(members.map((m, i) => [m, i]));
  const outside = [];
  const rows = members.map((member) => {
    const { op, inputs, shape, info, share } = graph.nodes.get(member);
    const sources = inputs.map((s) => {
      if (place.has(s)) return place.get(s);
      if (!outside.includes(s)) outside.push(s);
      return -1 - outside.indexOf(s);
    });
    return [op, sources, inputs.map((s) => graph.nodes.get(s).shape), shape, info.label, info.drawn, share !== null];
  });
  return JSON.stringify([rows, graph.regions.get(name)?.info.label]);
}
