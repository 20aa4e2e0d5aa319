// What the main line does not need (an auxiliary head and its output) stands beside it, at the right.

/** Return the chains of items that lead to a side output: {tail, members}, by the number of each item. */
function sideChains(items, found) {
  const inner = found.filter((f) => f.from !== f.to);
  const useful = usefulItems(items, inner);
  const chains = [];
  items.forEach((_, i) => {
    const into = inner.filter((f) => f.to === i);
    const last = chains.at(-1);
    if (useful.has(i) || into.length !== 1) return;
    if (last && into[0].from === last.members.at(-1)) last.members.push(i);
    else if (useful.has(into[0].from)) chains.push({ tail: into[0].from, members: [i] });
  });
  const beside = new Set(chains.flatMap((c) => c.members));
  // What is no plain chain is left in the pile, where it has lanes.
  const isPlain = ({ members }) => inner.every(({ from, to }) => !members.includes(from) || to === members[members.indexOf(from) + 1]);
  return items.every((_, i) => useful.has(i) || beside.has(i)) && chains.every(isPlain) ? chains : [];
}

/** The items that lead out of a list, or to the end of its longest way. */
function usefulItems(items, flows) {
  const ranks = items.map(() => 0);
  items.forEach((_, i) => {
    for (const { from, to } of flows) if (to === i && from >= 0) ranks[i] = Math.max(ranks[i], ranks[from] + 1);
  });
  const ends = items.map((_, i) => i).filter((i) => flows.some((f) => f.from === i && f.to === ABOVE));
  const useful = new Set(ends.length ? ends : [ranks.indexOf(Math.max(...ranks))]);
  for (let i = items.length - 1; i >= 0; i -= 1) {
    if (flows.some(({ from, to }) => from === i && useful.has(to))) useful.add(i);
  }
  return useful;
}

/** Give each chain its height, the item of the main line that it stands beside, and its distance. */
function measureChains(items, chains, main) {
  for (const chain of chains) {
    const cells = chain.members.map((i) => items[i].cell);
    chain.next = main.find((i) => i > chain.tail);
    chain.height = sum(cells.map((c) => c.height)) + ROW_GAP * (cells.length - 1);
    chain.left = Math.max(...cells.map((c) => c.left));
    chain.right = Math.max(...cells.map((c) => c.right));
    let [room, edge] = [0, 0];
    for (const i of main.filter((m) => m >= chain.next)) {
      if (room < chain.height) edge = Math.max(edge, items[i].cell.right);
      room += items[i].cell.height + ROW_GAP;
    }
    chain.x = edge + 2 * COLUMN_GAP + chain.left;
  }
}

/** Put measured chains beside the main line; `cell` grows where they need it. */
function placeChains(items, chains, cell) {
  chains.forEach((chain, k) => {
    let y = chain.next === undefined ? cell.height + ROW_GAP : cell.places[chain.next];
    [chain.low, chain.high] = [y, y + chain.height];
    for (const other of chains.slice(0, k)) {
      if (other.low < chain.high && chain.low < other.high) chain.x = Math.max(chain.x, other.x + other.right + COLUMN_GAP + chain.left);
    }
    for (const i of chain.members) {
      cell.places[i] = y;
      cell.asides.set(i, chain.x);
      y += items[i].cell.height + ROW_GAP;
    }
    cell.right = Math.max(cell.right, chain.x + chain.right);
  });
  cell.height = Math.max(cell.height, ...chains.map((c) => c.high));
}
