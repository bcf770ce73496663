/* PointMap: points that can be searched, moved and magnified; the nearest ones of a chosen point. */

async function draw(content, { tools, picture, further }) {
  const { points, labels } = content;
  const groups = [...new Set(content.groups)].sort();
  const hidden = new Set();
  const colorOf = (point) => DOTS[Math.max(0, groups.indexOf(content.groups[point])) % DOTS.length];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const state = { scale: 1, x: 0.5, y: 0.5, chosen: null, found: new Set() };
  const NEIGHBOURS = 8;

  const layer = svg("g");
  const box = svg("svg", { class: "map", role: "application", "aria-roledescription": "map", tabindex: 0,
    "aria-label": `${points.length} points. Arrow keys move, plus and minus magnify; search below to choose one.` }, layer);
  const list = make("ol", { class: "neighbours", id: "neighbours" });
  const heading = make("h2", {}, "Click a point, or search one");
  const search = make("input", { type: "search", id: "search", placeholder: "Search", "aria-label": "Search a label", oninput: () => find(search.value), onkeydown: (event) => {
    if (event.key === "Enter" && state.found.size) choose([...state.found][0], true);
  } });

  /** Where a point is in the box, in pixels. */
  function place(point) {
    const { clientWidth: width, clientHeight: height } = box;
    const share = [(xs[point] - left) / (right - left || 1), 1 - (ys[point] - low) / (high - low || 1)];
    const room = [0.86 * width, 0.86 * height];
    return [width / 2 + (share[0] - state.x) * room[0] * state.scale, height / 2 + (share[1] - state.y) * room[1] * state.scale];
  }

  const shown = (point) => !hidden.has(content.groups[point]);

  function nearest(point) {
    const distance = (other) => Math.hypot(xs[other] - xs[point], ys[other] - ys[point]);
    return labels.map((_, other) => other).filter((other) => other !== point && shown(other))
      .sort((a, b) => distance(a) - distance(b)).slice(0, NEIGHBOURS).map((other) => [other, distance(other)]);
  }

  function show() {
    const { clientWidth: width, clientHeight: height } = box;
    const near = new Set(state.chosen === null ? [] : nearest(state.chosen).map(([other]) => other));
    const stands = (point) => point === state.chosen || near.has(point) || state.found.has(point);
    const faint = state.chosen !== null || state.found.size > 0;
    const order = labels.map((_, point) => point).filter(shown).sort((a, b) => stands(b) - stands(a));
    const taken = [];
    const [lines, dots, texts] = [[], [], []];
    for (const point of order) {
      const [x, y] = place(point);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const quiet = faint && !stands(point) ? " faint" : "";
      if (near.has(point)) {
        const [fromX, fromY] = place(state.chosen);
        lines.push(svg("line", { x1: fromX, y1: fromY, x2: x, y2: y }));
      }
      dots.push(svg("circle", { cx: x, cy: y, r: stands(point) ? 6 : 4.5, fill: colorOf(point), class: (point === state.chosen ? "chosen" : "") + quiet, "data-point": point }));
      const words = labels[point].length > 24 ? `${labels[point].slice(0, 23)}…` : labels[point];
      const wide = 6.4 * words.length;
      const toLeft = x + 9 + wide > width;
      const spot = { left: toLeft ? x - 8 - wide : x + 8, top: y - 7, right: toLeft ? x - 8 : x + 8 + wide, bottom: y + 7 };
      if (quiet || taken.some((other) => spot.left < other.right && other.left < spot.right && spot.top < other.bottom && other.top < spot.bottom)) continue;
      taken.push(spot);
      texts.push(svg("text", { x: spot.left, y: y + 4 }, words));
    }
    layer.replaceChildren(...lines, ...dots, ...texts);
  }

  function choose(point, centre = false) {
    state.chosen = state.chosen === point && !centre ? null : point;
    if (centre && state.scale > 1) {
      state.x = (xs[point] - left) / (right - left || 1);
      state.y = 1 - (ys[point] - low) / (high - low || 1);
    }
    heading.textContent = state.chosen === null ? "Click a point, or search one" : `Nearest to ${labels[point]} on this map`;
    list.replaceChildren(...(state.chosen === null ? [] : nearest(point)).map(([other, distance]) => make("li", {},
      make("button", { type: "button", onclick: () => choose(other, true) }, labels[other]), ` ${short(distance)}`)));
    if (state.chosen !== null) tell(`${labels[point]}: nearest ${nearest(point).map(([other]) => labels[other]).join(", ")}`);
    show();
  }

  function find(text) {
    const sought = text.trim().toLowerCase();
    const hits = sought ? labels.map((_, point) => point).filter((point) => labels[point].toLowerCase().includes(sought)) : [];
    hits.sort((a, b) => labels[a].length - labels[b].length);
    state.found = new Set(hits);
    tell(sought ? `${hits.length} found${hits.length ? "; Enter chooses the first" : ""}` : "");
    show();
  }

  function magnify(factor, x = 0.5, y = 0.5) {
    const scale = Math.min(40, Math.max(1, state.scale * factor));
    state.x += (x - 0.5) * (1 / state.scale - 1 / scale);
    state.y += (y - 0.5) * (1 / state.scale - 1 / scale);
    state.scale = scale;
    show();
  }

  let grip = null;
  box.addEventListener("pointerdown", (event) => (grip = { x: event.clientX, y: event.clientY, moved: false }));
  addEventListener("pointerup", () => setTimeout(() => (grip = null)));
  box.addEventListener("pointermove", (event) => {
    const point = event.target.dataset.point;
    hint(point === undefined ? "" : labels[point] + (content.groups[point] ? ` (${content.groups[point]})` : ""), event);
    if (!grip || event.buttons !== 1) return;
    const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
    if (!grip.moved && Math.hypot(dx, dy) < 4) return;
    state.x -= dx / (0.86 * box.clientWidth * state.scale);
    state.y -= dy / (0.86 * box.clientHeight * state.scale);
    grip = { x: event.clientX, y: event.clientY, moved: true };
    show();
  });
  box.addEventListener("pointerleave", () => hint(""));
  box.addEventListener("click", (event) => {
    if (event.target.dataset.point !== undefined && !(grip && grip.moved)) choose(Number(event.target.dataset.point));
  });
  box.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = box.getBoundingClientRect();
    magnify(event.deltaY < 0 ? 1.2 : 1 / 1.2, (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height);
  }, { passive: false });
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (steps[event.key]) (state.x += (0.1 * steps[event.key][0]) / state.scale), (state.y += (0.1 * steps[event.key][1]) / state.scale), show();
    else if (event.key === "+") magnify(1.3);
    else if (event.key === "-") magnify(1 / 1.3);
    else return;
    event.preventDefault();
  });

  tools.append(search, make("button", { type: "button", "aria-label": "Magnify", onclick: () => magnify(1.5) }, "+"),
    make("button", { type: "button", "aria-label": "Reduce", onclick: () => magnify(1 / 1.5) }, "−"),
    make("button", { type: "button", onclick: () => (Object.assign(state, { scale: 1, x: 0.5, y: 0.5 }), show()) }, "Whole map"));
  if (groups.length > 1) {
    tools.append(make("div", { class: "choice", role: "group", "aria-label": "Groups" }, groups.map((group) => {
      const button = make("button", { type: "button", class: "key", "aria-pressed": "true", onclick: () => {
        hidden[hidden.has(group) ? "delete" : "add"](group);
        button.setAttribute("aria-pressed", String(!hidden.has(group)));
        show();
      } }, make("i", { style: { backgroundColor: DOTS[groups.indexOf(group) % DOTS.length] } }), group);
      return button;
    })));
  }
  picture.append(box);
  further.append(heading, list, make("p", { class: "explained" }, "Distances are those on this map, in its units. Labels without room are left out until the map is magnified."),
    asTable(() => table("The points", ["label", "group", "x", "y"], labels.map((label, point) => [label, content.groups[point] || "", short(xs[point]), short(ys[point])]))));
  onWidth(show);
}
