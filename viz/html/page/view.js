// Pan and zoom: the viewBox of the figure, moved by wheel, pointers, buttons and keys.

const SCALES = [0.08, 6];
const NOTICE_GAP = 18;
const print = matchMedia("print");
const stillness = matchMedia("(prefers-reduced-motion: reduce)");
const between = (low, value, high) => Math.min(Math.max(low, value), high);

class View {
  constructor(element) {
    Object.assign(this, { element, x: 0, y: 0, scale: 1, pointers: new Map(), moved: false });
    this.size = { width: 1, height: 1 };
    const on = (type, act, options) => element.addEventListener(type, act, options);
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.drag(event));
    for (const type of ["pointerup", "pointercancel", "pointerleave"]) {
      on(type, ({ pointerId }) => this.pointers.delete(pointerId));
    }
    // A click that ends a drag opens nothing.
    on("click", (e) => this.moved && e.stopImmediatePropagation(), { capture: true });
    new ResizeObserver(() => this.apply()).observe(element);
    for (const type of ["beforeprint", "afterprint"]) {
      addEventListener(type, () => {
        this.isPrinting = type === "beforeprint";
        this.apply();
      });
    }
  }

  /** The room that is not under the notice at the lower edge. */
  get room() {
    const [width, height] = [this.element.clientWidth || 800, this.element.clientHeight || 600];
    const notice = byId("problems").offsetHeight;
    const clear = notice ? Math.max(height / 3, height - notice - NOTICE_GAP) : height;
    return { width, height, clear };
  }

  apply() {
    const { width, height } = this.room;
    const whole = [0, 0, this.size.width, this.size.height];
    const seen = [this.x, this.y, width / this.scale, height / this.scale];
    const area = this.isPrinting || print.matches ? whole : seen;
    this.element.setAttribute("viewBox", area.map((n) => n.toFixed(2)).join(" "));
  }

  /** Show the whole figure, no larger than is good to read. */
  fit() {
    this.moveTo({ x: 0, y: 0, ...this.size }, 1.5);
  }

  /** Show as much as can be read, from the input upwards. */
  start() {
    const { width, clear } = this.room;
    const whole = Math.min(width / this.size.width, clear / this.size.height, 1.5);
    const scale = Math.max(whole, Math.min(0.9, width / this.size.width));
    const lowest = this.size.height - clear / scale;
    const x = this.size.width / 2 - width / scale / 2;
    this.glide(x, scale > whole ? lowest : lowest / 2, scale);
  }

  /** Bring an area into the middle, as large as it fits up to `most`. */
  moveTo(area, most) {
    const { width, clear } = this.room;
    const scale = Math.max(SCALES[0], Math.min(most, width / area.width, clear / area.height));
    const x = area.x + area.width / 2 - width / scale / 2;
    this.glide(x, area.y + area.height / 2 - clear / scale / 2, scale);
  }

  /** Move as little as is needed to see an area, zooming out where it does not fit. */
  reveal(area, margin = 24) {
    const { width, clear } = this.room;
    const fitting = [width / (area.width + 2 * margin), clear / (area.height + 2 * margin)];
    const scale = Math.max(Math.min(this.scale, ...fitting), Math.min(this.scale, 0.35));
    const shift = (at, room, low, size) =>
      Math.min(Math.max(at + (room / this.scale - room / scale) / 2,
        low + size + margin - room / scale), low - margin);
    const y = shift(this.y, clear, area.y, area.height);
    this.glide(shift(this.x, width, area.x, area.width), y, scale);
  }

  glide(x, y, scale) {
    cancelAnimationFrame(this.frame);
    const [from, start] = [{ x: this.x, y: this.y, scale: this.scale }, performance.now()];
    const step = (now) => {
      const isStill = stillness.matches || document.hidden;
      const part = 1 - (1 - (isStill ? 1 : between(0, (now - start) / 180, 1))) ** 3;
      for (const [key, to] of Object.entries({ x, y, scale })) {
        this[key] = from[key] + (to - from[key]) * part;
      }
      this.apply();
      if (part < 1) this.frame = requestAnimationFrame(step);
    };
    step(start);
  }

  zoom(factor, clientX, clientY) {
    const box = this.element.getBoundingClientRect();
    const px = (clientX ?? box.left + box.width / 2) - box.left;
    const py = (clientY ?? box.top + box.height / 2) - box.top;
    const scale = between(SCALES[0], this.scale * factor, SCALES[1]);
    this.x += px / this.scale - px / scale;
    this.y += py / this.scale - py / scale;
    this.scale = scale;
    this.apply();
  }

  /** Move the figure; a part of it stays in the window. */
  pan(dx, dy) {
    cancelAnimationFrame(this.frame);
    const bound = (at, room, size) => {
      const rest = Math.min(80 / this.scale, size / 2);
      return between(rest - room / this.scale, at, size - rest);
    };
    this.x = bound(this.x - dx / this.scale, this.room.width, this.size.width);
    this.y = bound(this.y - dy / this.scale, this.room.height, this.size.height);
    this.apply();
  }

  wheel(event) {
    event.preventDefault();
    const { deltaX, deltaY, clientX, clientY } = event;
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-deltaY / 200), clientX, clientY);
    else this.pan(-deltaX, -deltaY);
  }

  press({ pointerId, clientX, clientY }) {
    this.moved = false;
    this.pointers.set(pointerId, [clientX, clientY]);
  }

  drag({ pointerId, clientX, clientY }) {
    const before = this.pointers.get(pointerId);
    if (!before) return;
    const [dx, dy] = [clientX - before[0], clientY - before[1]];
    if (!this.moved && Math.hypot(dx, dy) < 4) return;
    this.moved = true;
    const other = [...this.pointers].find(([id]) => id !== pointerId)?.[1];
    const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    if (!other) this.pan(dx, dy);
    else {
      const factor = distance([clientX, clientY]) / distance(before);
      this.zoom(factor, (clientX + other[0]) / 2, (clientY + other[1]) / 2);
    }
    this.pointers.set(pointerId, [clientX, clientY]);
  }
}
