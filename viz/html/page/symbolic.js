// Sizes as formulas in letters, in one normal form: the counterpart of compiler/graph/symbolic.py.
// {terms: [[atoms, factor], ...]}, an atom is a letter or {inner, divisor}: inner // divisor.

const isSymbolic = (size) => typeof size === "object" && size !== null;
const symbolic = (letter) => ({ terms: [[[letter], 1]] });
const termsOf = (size) => (isSymbolic(size) ? size.terms : [[[], size]]);
const byText = (a, b) => (a < b ? -1 : Number(a > b));

/** Terms in their order: long products first, the constant last. */
function collect(terms) {
  const found = new Map();
  for (const [atoms, factor] of terms) {
    const key = JSON.stringify(atoms.map(atomText));
    found.set(key, [atoms, (found.get(key)?.[1] ?? 0) + factor]);
  }
  const kept = [...found].filter(([, [, factor]]) => factor);
  if (kept.every(([, [atoms]]) => !atoms.length)) return kept.length ? kept[0][1][1] : 0;
  kept.sort(([a, [one]], [b, [other]]) => other.length - one.length || byText(a, b));
  return { terms: kept.map(([, term]) => term) };
}

const addSizes = (sizes) => collect(sizes.flatMap(termsOf));

function multiplySizes(a, b) {
  if (!isSymbolic(a) && !isSymbolic(b)) return a * b;
  const sorted = (atoms) => atoms.sort((x, y) => byText(atomText(x), atomText(y)));
  return collect(termsOf(a).flatMap(([p, f]) => termsOf(b).map(([q, g]) => [sorted([...p, ...q]), f * g])));
}

function divideSize(size, divisor) {
  if (!isSymbolic(size)) return Math.floor(size / divisor);
  const whole = size.terms.map(([atoms, factor]) => [atoms, Math.floor(factor / divisor)]);
  const rest = size.terms.map(([atoms, factor]) => [atoms, factor - divisor * Math.floor(factor / divisor)]);
  return addSizes([collect(whole), floorTerm(collect(rest), divisor)]);
}

function floorTerm(size, divisor) {
  if (!isSymbolic(size)) return 0;
  const common = size.terms.reduce((found, [atoms, factor]) => (atoms.length ? gcd(factor, found) : found), divisor);
  if (common > 1) {
    return divideSize(collect(size.terms.map(([atoms, factor]) => [atoms, Math.floor(factor / common)])), divisor / common);
  }
  if (2 * size.terms[0][1] > divisor) {
    return multiplySizes(divideSize(addSizes([divisor - 1, multiplySizes(size, -1)]), divisor), -1);
  }
  const nested = size.terms.find(([atoms, factor]) => factor === 1 && atoms.length === 1 && typeof atoms[0] === "object");
  if (nested) {
    const { inner, divisor: by } = nested[0][0];
    const others = collect(size.terms.filter((term) => term !== nested));
    return divideSize(addSizes([inner, multiplySizes(others, by)]), divisor * by);
  }
  return { terms: [[[{ inner: size, divisor }], 1]] };
}

/** A size that is left open, as a spec writes it: `H`, or a multiple, `32*H`. */
function openSize(text) {
  const [name, factor] = text.split("*").reverse();
  return multiplySizes(symbolic(name), Number(factor ?? 1));
}

/** The number where the one letter of a formula has a value. */
function valueAt(size, number) {
  const of = (atom) => (typeof atom === "string" ? number : Math.floor(valueAt(atom.inner, number) / atom.divisor));
  return termsOf(size).reduce((total, [atoms, factor]) => total + atoms.reduce((found, atom) => found * of(atom), factor), 0);
}

function lettersOf(size) {
  if (!isSymbolic(size)) return [];
  const inAtom = (atom) => (typeof atom === "string" ? [atom] : lettersOf(atom.inner));
  return [...new Set(termsOf(size).flatMap(([atoms]) => atoms.flatMap(inAtom)))].sort();
}

// -- text ------------------------------------------------------------------------------------

const isLetter = ({ terms: [[atoms, factor], ...more] }) =>
  !more.length && factor === 1 && atoms.length === 1 && typeof atoms[0] === "string";

function atomText(atom) {
  if (typeof atom === "string") return atom;
  return `${isLetter(atom.inner) ? showDim(atom.inner) : `(${showDim(atom.inner)})`}//${atom.divisor}`;
}

function showDim(size) {
  if (!isSymbolic(size)) return size === null ? "?" : String(size);
  const { factor, parts } = factorsOf(size);
  if (parts.length === 1) return sumText(size);
  const shown = parts.map((p) => (isLetter(p) ? sumText(p) : `(${sumText(p)})`));
  return [...(factor === 1 ? [] : [factor]), ...shown].join("*");
}

/** A formula as a number times formulas that share no letter: 3*(H-2)*(W-2). */
function factorsOf(size) {
  const contentOf = (terms) => terms.reduce((found, [, factor]) => gcd(factor, found), 0);
  const parts = [];
  let rest = size;
  for (const letter of lettersOf(size).slice(0, -1)) {
    const split = splitLetter(rest, letter);
    if (split) {
      parts.push(split[0]);
      rest = split[1];
    }
  }
  const content = contentOf(rest.terms);
  parts.push({ terms: rest.terms.map(([atoms, factor]) => [atoms, factor / content]) });
  return { factor: contentOf(size.terms), parts };
}

/** A formula as [one in the letter alone, one without it], null where it is no such product. */
function splitLetter(size, letter) {
  const names = (atom) => (typeof atom === "string" ? [atom] : lettersOf(atom.inner));
  const isOwn = (atom) => names(atom).includes(letter);
  if (size.terms.some(([atoms]) => atoms.some((a) => isOwn(a) && names(a).length > 1))) return null;
  const rows = new Map();
  for (const [atoms, factor] of size.terms) {
    const own = atoms.filter(isOwn);
    const key = own.map(atomText).join("*");
    if (!rows.has(key)) rows.set(key, { own, terms: [] });
    rows.get(key).terms.push([atoms.filter((a) => !isOwn(a)), factor]);
  }
  const list = [...rows.values()];
  const content = list[0].terms.reduce((found, [, factor]) => gcd(factor, found), 0);
  const column = collect(list[0].terms.map(([atoms, factor]) => [atoms, factor / content]));
  const [lead, by] = termsOf(column)[0];
  const scales = list.map((row) => (row.terms.find(([atoms]) => String(atoms.map(atomText)) === String(lead.map(atomText)))?.[1] ?? 0) / by);
  const fits = list.every((row, i) => addSizes([collect(row.terms), multiplySizes(column, -scales[i])]) === 0);
  if (!fits) return null;
  const common = scales.reduce((found, scale) => gcd(scale, found), 0);
  const one = collect(list.map((row, i) => [row.own, scales[i] / common]));
  return isSymbolic(one) && isSymbolic(column) ? [one, column] : null;
}

function sumText(size) {
  const terms = [...size.terms.filter((t) => t[1] > 0), ...size.terms.filter((t) => t[1] < 0)];
  return terms.reduce((text, [atoms, factor]) => {
    if (!text && factor === -1 && typeof atoms[0] === "object") return `-(${termText(atoms, 1)})`;
    return text + (factor < 0 ? "-" : text ? "+" : "") + termText(atoms, Math.abs(factor));
  }, "");
}

function termText(atoms, factor) {
  if (!atoms.length) return String(factor);
  if (factor === 1 && atoms.length === 1) return atomText(atoms[0]);
  const shown = atoms.map((a) => (typeof a === "string" ? a : `(${atomText(a)})`));
  return [...(factor === 1 ? [] : [factor]), ...shown].join("*");
}
