/**
 * A matrix in SVG: its cells are one image of a pixel each, so that 512 x 512 cells take no longer than 5 x 5.
 *
 * The pointer or the arrow keys are on a cell; `tellCell(row, column)` is what is then said. Enter, Space or a click
 * call `pick(row, column)`. `marked` are pairs [row, column] that are outlined, `kept` rows that stay emphasised.
 */
class Matrix {
  constructor({ name, rows, columns, at, largest, sides = ["", ""], marked = [], tellCell, pick, onCell }) {
    Object.assign(this, { name, rows, columns, at, largest, sides, marked, tellCell, pick, onCell });
    this.here = null;
    this.kept = new Set();
    this.canvas = document.createElement("canvas");
    this.svg = svg("svg", { class: "matrix", "aria-hidden": "true" });
    this.element = make("div", {
      class: "scroll matrix-box",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "matrix",
      "aria-label": `${name}: ${rows.length} rows, ${columns.length} columns. Arrow keys move, Enter keeps a row.`,
      onkeydown: (event) => this.key(event),
    }, this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.go(null));
    this.svg.addEventListener("click", (event) => {
      this.point(event);
      if (this.here && this.pick) this.pick(...this.here);
    });
    onWidth(() => this.layout());
    onColors(() => this.color());
  }

  /** Shows other numbers on the same rows and columns. */
  show(at, largest, name = this.name) {
    Object.assign(this, { at, largest, name });
    this.color();
  }

  layout() {
    const longest = (labels) => Math.min(16, Math.max(...labels.map((text) => [...text].length), 1));
    const room = Math.min(960, document.documentElement.clientWidth - 48);
    const labelled = Math.max(this.rows.length, this.columns.length) <= 128;
    this.left = labelled ? 7.2 * longest(this.rows) + 14 : 14;
    this.top = (labelled ? 7.2 * longest(this.columns) + 12 : 8) + (this.sides[0] ? 14 : 0);
    const fitting = (room - this.left) / this.columns.length;
    this.cell = labelled ? Math.max(14, Math.min(26, fitting)) : Math.max(2, Math.min(8, Math.floor(fitting)));
    const { left, top, cell } = this;
    const side = this.sides[0] ? `${this.sides[0]} →  ${this.sides[1]} ↓` : "";
    const sideWidth = 7.2 * [...side].length;
    const width = Math.max(left + cell * this.columns.length + 4, sideWidth); // also the names of the axes over few columns
    const height = top + cell * this.rows.length + 4;
    const text = (x, y, words, more) => svg("text", { x, y, ...more }, words.length > 17 ? `${words.slice(0, 15)}…` : words);
    const labels = !labelled ? [] : [
      ...this.rows.map((row, r) => text(left - 6, top + cell * (r + 0.5), row, { "text-anchor": "end", "dominant-baseline": "central", "data-row": r })),
      ...this.columns.map((column, c) => text(0, 0, column, { "dominant-baseline": "central", "data-column": c,
        transform: `translate(${left + cell * (c + 0.5)} ${top - 6}) rotate(-90)` })),
    ];
    this.image = svg("image", { x: left, y: top, width: cell * this.columns.length, height: cell * this.rows.length, preserveAspectRatio: "none" });
    this.image.style.imageRendering = "pixelated";
    const box = (row, column, kind) => svg("rect", { x: left + cell * column, y: top + cell * row, width: cell, height: cell, class: kind });
    this.band = svg("g");
    this.svg.replaceChildren(
      side ? svg("text", { x: Math.min(left, width - sideWidth), y: 10, class: "side" }, side) : "",
      this.image,
      svg("rect", { x: left, y: top, width: cell * this.columns.length, height: cell * this.rows.length, class: "frame" }),
      ...this.marked.map(([row, column]) => box(row, column, "marked")),
      ...labels,
      this.band,
    );
    fill(this.svg, { width, height, viewBox: `0 0 ${width} ${height}` }, []);
    if (this.canvas.width) this.image.setAttribute("href", this.canvas.toDataURL());
    this.emphasise();
  }

  color() {
    const largest = this.largest || 1;
    paint(this.canvas, this.rows.length, this.columns.length, (row, column) => this.at(row, column) / largest, blue);
    this.image.setAttribute("href", this.canvas.toDataURL());
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - this.left) / this.cell);
    const row = Math.floor((event.clientY - box.top - this.top) / this.cell);
    const inside = this.rows[row] !== undefined && (this.columns[column] !== undefined || column < 0);
    this.go(inside ? [row, Math.max(0, column)] : null, event);
  }

  /** Puts the matrix on a cell, or on none. */
  go(cell, event) {
    if (String(cell) !== String(this.here)) {
      this.here = cell;
      this.emphasise();
      if (this.onCell) this.onCell(cell);
      if (cell) tell(this.tellCell(...cell));
    }
    if (!cell || event) hint(cell ? this.tellCell(...cell) : "", event);
  }

  /** Emphasises the rows that are kept, and the row and column of the cell that the matrix is on. */
  emphasise() {
    const { left, top, cell } = this;
    const band = (row, kind) => svg("rect", { x: left, y: top + cell * row, width: cell * this.columns.length, height: cell, class: kind });
    const parts = [...this.kept].map((row) => band(row, "kept"));
    if (this.here) {
      const [row, column] = this.here;
      parts.push(band(row, "band"), svg("rect", { x: left + cell * column, y: top, width: cell, height: cell * this.rows.length, class: "band" }));
    }
    this.band.replaceChildren(...parts);
    const [row, column] = this.here || [];
    for (const label of this.svg.querySelectorAll("text")) {
      const own = Number(label.dataset.row ?? -1) === row || Number(label.dataset.column ?? -1) === column;
      label.classList.toggle("here", own || this.kept.has(Number(label.dataset.row ?? -1)));
    }
  }

  key(event) {
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (steps[event.key]) {
      const [row, column] = this.here || [0, -steps[event.key][1]];
      const within = (place, count) => Math.min(count - 1, Math.max(0, place));
      this.go([within(row + steps[event.key][0], this.rows.length), within(column + steps[event.key][1], this.columns.length)]);
      const { left, top, cell, element } = this;
      element.scrollLeft = Math.max(0, left + cell * this.here[1] - element.clientWidth / 2);
      element.scrollTop = Math.max(0, top + cell * this.here[0] - element.clientHeight / 2);
    } else if ((event.key === "Enter" || event.key === " ") && this.here && this.pick) {
      this.pick(...this.here);
    } else if (event.key === "Escape") {
      this.go(null);
      return;
    } else {
      return;
    }
    event.preventDefault();
  }
}
