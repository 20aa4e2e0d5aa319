// The present view as a file, and the state of the page as a link.

const LINES = ["fill", "stroke", "stroke-width", "stroke-dasharray"];
const LETTERS = ["fill", "font-family", "font-size", "font-weight", "text-anchor"];

function save(app, extension, data, type) {
  const url = URL.createObjectURL(data instanceof Blob ? data : new Blob([data], { type }));
  html("a", { href: url, download: `${app.program.name}.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A colour as every reader of SVG knows it; browsers compute mixtures as `color(srgb ...)`. */
function plainColour(css) {
  const parts = css.match(/^color\(srgb (\S+) (\S+) ([^\s)]+)\)$/)?.slice(1);
  return parts ? `rgb(${parts.map((part) => Math.round(255 * part)).join(", ")})` : css;
}

/** The figure as it is seen, its colours written into it; without what is for hands alone. */
function svgText(app) {
  const { width, height } = app.composed;
  const copy = byId("figure").cloneNode(true);
  const [seen, made] = [byId("figure"), copy].map((root) => root.querySelectorAll("#boxes *"));
  seen.forEach((element, i) => {
    for (const name of made[i].getAttributeNames()) {
      if (/^(class|style|role|tabindex|data-|aria-)/.test(name)) made[i].removeAttribute(name);
    }
    if (element.tagName === "g") return;
    const style = getComputedStyle(element);
    for (const name of element.tagName === "text" ? LETTERS : LINES) {
      made[i].setAttribute(name, plainColour(style.getPropertyValue(name)));
    }
    if (element.closest(".ring, .hit, .sign")) made[i].remove();
  });
  const size = { width: `${width}pt`, height: `${height}pt`, viewBox: `0 0 ${width} ${height}` };
  for (const name of copy.getAttributeNames()) if (name !== "xmlns") copy.removeAttribute(name);
  for (const [name, value] of Object.entries(size)) copy.setAttribute(name, value);
  return new XMLSerializer().serializeToString(copy);
}

const saveSvg = (app) => save(app, "svg", svgText(app), "image/svg+xml");

/** A picture of 300 dots an inch, on the colour of the page. */
async function savePng(app) {
  const factor = Math.min(300 / 72, 16_000 / Math.max(app.composed.width, app.composed.height));
  const url = URL.createObjectURL(new Blob([svgText(app)], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = html("canvas", {});
  canvas.width = Math.ceil(app.composed.width * factor);
  canvas.height = Math.ceil(app.composed.height * factor);
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(byId("stage")).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  canvas.toBlob((blob) => save(app, "png", blob), "image/png");
}

const TEX = { "\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}" };
const texText = (text) => text.replace(/[\\^~#$%&_{}]/g, (c) => TEX[c] ?? `\\${c}`);

function texColour(css) {
  const [red, green, blue] = plainColour(css).match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  return `{rgb,255:red,${red};green,${green};blue,${blue}}`;
}

/** A shape or a text as TikZ; the same lengths, y downwards. */
function tikzOf(element) {
  const style = getComputedStyle(element);
  const [fill, stroke] = [texColour(style.fill), texColour(style.stroke)];
  const numbers = (...names) => names.map((name) => Number(element.getAttribute(name)));
  const at = (x, y) => `(${x.toFixed(1)},${y.toFixed(1)})`;
  const kind = element.tagName;
  if (kind === "text") {
    const side = { start: "base west", middle: "base", end: "base east" }[style.textAnchor];
    return `\\node[anchor=${side},inner sep=0pt,text=${fill}] at ${at(...numbers("x", "y"))} `
      + `{${texText(element.textContent)}};`;
  }
  const look = `[fill=${fill},draw=${stroke}${element.matches(".frame") ? ",dashed" : ""}]`;
  if (kind === "ellipse") {
    const [x, y, rx, ry] = numbers("cx", "cy", "rx", "ry");
    return `\\filldraw${look} ${at(x, y)} ellipse (${rx}pt and ${ry}pt);`;
  }
  if (kind === "rect") {
    const [x, y, width, height] = numbers("x", "y", "width", "height");
    return `\\filldraw${look} ${at(x, y)} rectangle ${at(x + width, y + height)};`;
  }
  const isHead = kind === "polygon";
  return element.getAttribute(isHead ? "points" : "d").split("M").filter(Boolean).map((piece) => {
    const points = piece.match(/-?[\d.]+ -?[\d.]+/g).map((p) => at(...p.split(" ").map(Number)));
    const way = points.join(" -- ");
    return isHead ? `\\fill[fill=${fill}] ${way} -- cycle;` : `\\draw[draw=${stroke}] ${way};`;
  }).join("\n");
}

/** A `tikzpicture` for \\input; lengths in points. */
function tikzText(app) {
  const shapes = app.root.querySelectorAll(".frame, .shape, .arrow path, .arrow polygon, text");
  const font = "font=\\sffamily\\fontsize{9}{11}\\selectfont";
  const lines = [...shapes].map(tikzOf);
  return `\\begin{tikzpicture}[x=1pt,y=-1pt,${font}]\n${lines.join("\n")}\n\\end{tikzpicture}\n`;
}

const saveTikz = (app) => save(app, "tikz", tikzText(app), "text/x-tex");

// -- the link -------------------------------------------------------------------------------

function keepState(app) {
  const state = new URLSearchParams();
  for (const [key, value] of app.changes) state.set(key, fieldText(value));
  if (app.index) state.set("view", app.drawing.views[app.index].title);
  if (app.opened.size || app.program.depth) state.set("open", [...app.opened].join(" "));
  if (app.selected) state.set("at", app.selected);
  if (byId("heat").value) state.set("heat", byId("heat").value);
  app.link = `#${state}`;
}

function restoreState(app) {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const setting of app.numbers.settings) {
    const text = state.get(setting.key);
    const taken = text === null ? { why: "nothing" } : readSetting(setting, text);
    if (!taken.why) app.changes.set(setting.key, taken.value);
  }
  app.values = app.numbers.evaluate(app.changes);
  const { views } = app.drawing;
  app.index = Math.max(0, views.findIndex(({ title }) => title === state.get("view")));
  if (state.has("open")) app.opened = new Set(state.get("open").split(" ").filter(Boolean));
  byId("heat").value = state.get("heat") in MEASURES ? state.get("heat") : "";
  app.selected = state.get("at");
}

async function copyLink(app) {
  history.replaceState(null, "", app.link);
  try {
    await navigator.clipboard.writeText(location.href);
    app.say("The link is copied");
  } catch {
    app.say("The link is in the address bar");
  }
}
