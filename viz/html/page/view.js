// Pan and zoom: the viewBox of the figure, moved by wheel, pointers, buttons and keys.

const LEAST_SCALE = 0.08;
const MOST_SCALE = 6;
const NOTICE_GAP = 18;
const print = matchMedia("print");
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

class View {
  constructor(element) {
    Object.assign(this, { element, x: 0, y: 0, scale: 1, size: { width: 1, height: 1 }, pointers: new Map(), moved: false });
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.press(event));
    element.addEventListener("pointermove", (event) => this.drag(event));
    for (const type of ["pointerup", "pointercancel", "pointerleave"]) {
      element.addEventListener(type, (event) => this.pointers.delete(event.pointerId));
    }
    // A click that ends a drag opens nothing.
    element.addEventListener("click", (event) => { if (this.moved) event.stopImmediatePropagation(); }, { capture: true });
    new ResizeObserver(() => this.apply()).observe(element);
    for (const type of ["beforeprint", "afterprint"]) {
      addEventListener(type, () => {
        this.isPrinting = type === "beforeprint";
        this.apply();
      });
    }
  }

  get room() {
    return { width: this.element.clientWidth || 800, height: this.element.clientHeight || 600 };
  }

  /** The room that is not under the notice at the lower edge; `covered` is that notice. */
  get clearRoom() {
    const { width, height } = this.room;
    const notice = this.covered?.offsetHeight ? this.covered.offsetHeight + NOTICE_GAP : 0;
    return { width, height: Math.max(height / 3, height - notice) };
  }

  apply() {
    const { width, height } = this.room;
    const seen = [this.x, this.y, width / this.scale, height / this.scale];
    const whole = [0, 0, this.size.width, this.size.height];
    this.element.setAttribute("viewBox", (this.isPrinting || print.matches ? whole : seen).map(round2).join(" "));
  }

  /** Show the whole figure, no larger than is good to read. */
  fit() {
    this.moveTo({ x: 0, y: 0, ...this.size }, 1.5);
  }

  /** Show as much as can be read, from the input upwards. */
  start() {
    const { width, height } = this.clearRoom;
    const whole = Math.min(width / this.size.width, height / this.size.height, 1.5);
    const scale = Math.max(whole, Math.min(0.75, width / this.size.width));
    this.glide(this.size.width / 2 - width / scale / 2, scale > whole ? this.size.height - height / scale : this.size.height / 2 - height / scale / 2, scale);
  }

  /** Bring an area into the middle, as large as it fits up to `most`. */
  moveTo(area, most) {
    const { width, height } = this.clearRoom;
    const scale = Math.max(LEAST_SCALE, Math.min(most, width / area.width, height / area.height));
    this.glide(area.x + area.width / 2 - width / scale / 2, area.y + area.height / 2 - height / scale / 2, scale);
  }

  /** Move as little as is needed to see an area, zooming out where it does not fit. */
  reveal(area, margin = 24) {
    const { width, height } = this.clearRoom;
    const scale = Math.max(Math.min(this.scale, width / (area.width + 2 * margin), height / (area.height + 2 * margin)), Math.min(this.scale, 0.35));
    const [wide, high] = [width / scale, height / scale];
    const shift = (at, room, low, size) => Math.min(Math.max(at, low + size + margin - room), low - margin);
    const centre = { x: this.x + (width / this.scale - wide) / 2, y: this.y + (height / this.scale - high) / 2 };
    this.glide(shift(centre.x, wide, area.x, area.width), shift(centre.y, high, area.y, area.height), scale);
  }

  glide(x, y, scale) {
    cancelAnimationFrame(this.frame);
    if (stillness.matches || document.hidden) {
      Object.assign(this, { x, y, scale });
      this.apply();
      return;
    }
    const from = { x: this.x, y: this.y, scale: this.scale };
    const start = performance.now();
    const step = (now) => {
      const t = Math.max(0, Math.min(1, (now - start) / 180));
      const ease = 1 - (1 - t) ** 3;
      const between = (a, b) => a + (b - a) * ease;
      Object.assign(this, { x: between(from.x, x), y: between(from.y, y), scale: between(from.scale, scale) });
      this.apply();
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  zoom(factor, clientX, clientY) {
    const box = this.element.getBoundingClientRect();
    const [px, py] = [(clientX ?? box.left + box.width / 2) - box.left, (clientY ?? box.top + box.height / 2) - box.top];
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.scale * factor));
    this.x += px / this.scale - px / scale;
    this.y += py / this.scale - py / scale;
    this.scale = scale;
    this.apply();
  }

  pan(dx, dy) {
    cancelAnimationFrame(this.frame);
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.apply();
  }

  wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
    else this.pan(-event.deltaX, -event.deltaY);
  }

  press(event) {
    this.moved = false;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (!this.moved && Math.hypot(dx, dy) < 4) return;
    this.moved = true;
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const distance = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      this.zoom(distance(now) / distance(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else this.pan(dx, dy);
    this.pointers.set(event.pointerId, now);
  }
}
