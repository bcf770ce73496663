/* LayeredHeads: small pictures of all heads, grouped by what they do, and one head large, as arcs or as a matrix. */

const MOST_LINES = 1500; // of the arcs
const FAINTEST = 0.02; // of the largest weight that is drawn; what is less is left out
const SMALL = 48; // pixels of the side of a small picture

async function draw(content, { tools, picture, further }) {
  const { tokens, kinds, shares, groups, threshold } = content;
  const layers = content.weights.length;
  const parts = [await unpack(content.weights[0])]; // the other layers come when the first picture is there
  const [heads, count] = parts[0].shape;
  const state = { layer: 0, head: 0, group: null, selected: new Set(), form: 0 };
  const groupNames = [...kinds, "no single place"];
  const groupOf = (layer, head) => (groups[layer][head] < 0 ? kinds.length : groups[layer][head]);
  const at = (row, column) => parts[state.layer].at((state.head * count + row) * count + column);

  function largestOf(layer, head) {
    let largest = 0;
    for (let i = head * count * count, end = i + count * count; i < end; i++) largest = Math.max(largest, parts[layer].at(i));
    return largest;
  }

  // The overview. Each small picture is drawn once, when it comes into view.
  const side = Math.min(count, SMALL);
  function drawSmall(button) {
    const { layer, head } = button.place;
    const from = head * count * count;
    const largest = largestOf(layer, head) || 1;
    const share = count / side;
    paint(button.firstChild, side, side, (row, column) => {
      let most = 0;
      const [top, left] = [Math.floor(row * share), Math.floor(column * share)];
      const [bottom, right] = [Math.max(top + 1, Math.floor((row + 1) * share)), Math.max(left + 1, Math.floor((column + 1) * share))];
      for (let r = top; r < bottom; r++) for (let c = left; c < right; c++) most = Math.max(most, parts[layer].at(from + r * count + c));
      return most / largest;
    }, blue);
    button.drawn = true;
  }
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    seen.unobserve(target);
    (window.requestIdleCallback || setTimeout)(() => drawSmall(target), { timeout: 300 }); // Safari has none
  }));
  const buttons = [];
  const thumbs = make("div", { class: "thumbs", role: "group", "aria-label": "all heads: layers from top to bottom, heads from left to right" },
    make("span", { "aria-hidden": "true" }), Array.from({ length: heads }, (_, head) => make("span", { "aria-hidden": "true" }, head + 1)));
  for (let layer = 0; layer < layers; layer++) {
    thumbs.append(make("span", { "aria-hidden": "true" }, layer + 1));
    for (let head = 0; head < heads; head++) {
      const label = `layer ${layer + 1}, head ${head + 1}: ${groupNames[groupOf(layer, head)]}`;
      const button = make("button", { type: "button", "aria-label": label, title: label, onclick: () => choose(layer, head) }, make("canvas", { width: 1, height: 1, class: count < SMALL ? "coarse" : null }));
      button.place = { layer, head };
      buttons.push(button);
      thumbs.append(button);
    }
  }
  arrows(thumbs, buttons, heads);
  onWidth(() => {
    const room = Math.min(960, document.documentElement.clientWidth - 60) - 28;
    thumbs.style.setProperty("--thumb", `${Math.max(22, Math.min(SMALL, Math.floor(room / heads) - 7))}px`);
    thumbs.style.gridTemplateColumns = `22px repeat(${heads}, auto)`;
  });
  onColors(() => buttons.filter((button) => button.drawn).forEach(drawSmall));

  async function unpackOthers() {
    for (let layer = 0; layer < layers; layer++) {
      parts[layer] ??= await unpack(content.weights[layer]);
      buttons.slice(layer * heads, (layer + 1) * heads).forEach((button) => seen.observe(button));
    }
    document.documentElement.dataset.complete = "yes";
  }

  const counts = groupNames.map((_, group) => groups.flatMap((row, layer) => row.filter((__, head) => groupOf(layer, head) === group)).length);
  const chips = groupNames.map((name, group) => make("button", { type: "button", "aria-pressed": "false", disabled: !counts[group], onclick: () => {
    state.group = state.group === group ? null : group;
    chips.forEach((chip, other) => chip.setAttribute("aria-pressed", String(other === state.group)));
    buttons.forEach((button) => button.classList.toggle("other", state.group !== null && groupOf(button.place.layer, button.place.head) !== state.group));
    const first = buttons.find(({ place }) => groupOf(place.layer, place.head) === state.group);
    if (state.group !== null && groupOf(state.layer, state.head) !== state.group) choose(first.place.layer, first.place.head);
  } }, `${name} (${counts[group]})`));

  // One head, large.
  const name = make("h2", { id: "head" });
  const measured = make("p", { class: "explained", id: "measured" });
  const limits = make("p", { class: "explained" });
  const place = make("div", {});
  const sum = make("p", { id: "sum", role: "status" });
  const alternative = asTable(() => table(`${name.textContent}: what each token attended to most`, ["token", ...["most", "second", "third"].slice(0, count)], mostAttended(tokens, tokens, at)));
  let matrix = null;

  const ROW = 22;
  const lookers = tokens.map((token, row) => make("button", { type: "button", dir: "auto", "aria-pressed": "false",
    onclick: () => toggle(row), onpointerenter: () => drawArcs(row), onpointerleave: () => drawArcs(), onfocus: () => drawArcs(row), onblur: () => drawArcs() }, token));
  const lookedAt = tokens.map((token) => make("span", { dir: "auto" }, token));
  const lines = svg("svg", { "aria-hidden": "true", height: ROW * count, width: "100%", preserveAspectRatio: "none", viewBox: `0 0 100 ${ROW * count}` });
  const arcs = make("div", { class: "scroll arcs", tabindex: 0, role: "region", "aria-label": "tokens, and what they attend to" },
    make("ol", { "aria-label": "tokens that attend" }, lookers.map((button) => make("li", {}, button))), lines,
    make("ol", { "aria-label": "tokens that are attended to" }, lookedAt.map((span) => make("li", {}, span))));
  arrows(arcs, lookers, 1);

  /** The sum of the weights of the selected tokens, by the token that is attended to. */
  const summed = (rows) => tokens.map((_, column) => rows.reduce((total, row) => total + at(row, column), 0));

  function drawArcs(pointed) {
    if (state.form !== 0) return;
    const rows = [...new Set([...state.selected, ...(pointed === undefined ? [] : [pointed])])];
    const from = rows.length ? rows : tokens.map((_, row) => row);
    let largest = 0;
    for (const row of from) for (let column = 0; column < count; column++) largest = Math.max(largest, at(row, column));
    const least = FAINTEST * largest;
    let found = [];
    for (const row of from) for (let column = 0; column < count; column++) if (at(row, column) > least) found.push([at(row, column), row, column]);
    const all = found.length;
    if (all > MOST_LINES) found = found.sort((a, b) => b[0] - a[0]).slice(0, MOST_LINES);
    lines.replaceChildren(...found.map(([weight, row, column]) => {
      const [y, end] = [ROW * (row + 0.45), ROW * (column + 0.45)];
      return svg("path", { d: `M0 ${y}C50 ${y} 50 ${end} 100 ${end}`, "stroke-opacity": (weight / largest).toFixed(2), "stroke-width": (0.6 + 2.4 * weight).toFixed(1), "vector-effect": "non-scaling-stroke" });
    }));
    const some = all > MOST_LINES ? ` Of the others, the ${MOST_LINES.toLocaleString("en")} largest of ${all.toLocaleString("en")} are; select tokens to see all of theirs.` : "";
    limits.textContent = `The strongest line has the weight ${short(largest)}. Weights up to ${short(least, 4)} are not drawn.${some}`;
    shade(rows);
  }

  function shade(rows) {
    const total = rows.length ? summed(rows) : null;
    const largest = total ? Math.max(...total, 1e-9) : 1;
    lookedAt.forEach((span, column) => {
      const color = total && blue(total[column] / largest);
      Object.assign(span.style, { backgroundColor: color ? css(color) : "", color: color ? inkOn(color) : "" });
    });
  }

  function say() {
    const rows = [...state.selected].sort((a, b) => a - b);
    if (!rows.length) return (sum.textContent = "Select tokens: their weights are summed.");
    const total = summed(rows);
    const best = tokens.map((_, i) => i).sort((a, b) => total[b] - total[a]).slice(0, 5);
    sum.textContent = `${rows.map((row) => tokens[row]).join(" + ")} → ${best.map((i) => `${tokens[i]} ${short(total[i])}`).join(", ")}`;
  }

  function toggle(row) {
    state.selected[state.selected.has(row) ? "delete" : "add"](row);
    lookers.forEach((button, other) => button.setAttribute("aria-pressed", String(state.selected.has(other))));
    if (matrix) (matrix.kept = state.selected), matrix.emphasise();
    drawArcs();
    say();
  }

  function choose(layer, head) {
    if (!parts[layer]) return; // on its way
    Object.assign(state, { layer, head });
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.place.layer === layer && button.place.head === head)));
    name.textContent = `Layer ${layer + 1}, head ${head + 1}: ${groupNames[groupOf(layer, head)]}`;
    measured.textContent = `Measured: ${kinds.map((kind, i) => `${kind} ${percent(shares[layer][head][i])}`).join(", ")}.`;
    showHead();
    alternative.refresh();
  }

  function showHead() {
    if (state.form === 1) {
      if (matrix) matrix.show(at, largestOf(state.layer, state.head), name.textContent);
      else matrix = new Matrix({ name: name.textContent, rows: tokens, columns: tokens, at, largest: largestOf(state.layer, state.head), sides: ["attended to", "token"],
        tellCell: (row, column) => `${tokens[row]} → ${tokens[column]}: ${short(at(row, column))}`, pick: (row) => toggle(row) });
      matrix.kept = state.selected;
      matrix.emphasise();
      place.replaceChildren(matrix.element);
      limits.textContent = "";
    } else {
      place.replaceChildren(arcs);
      drawArcs();
    }
    say();
  }

  const left = content.kept ? `Each token keeps its ${content.kept} largest weights in each head: they hold ${percent(content.keptShare)} of the attention. The others are left out, so that this file stays small. ` : "";
  tools.append(choice("One head as", ["arcs", "matrix"], (index) => ((state.form = index), showHead())),
    make("button", { type: "button", onclick: () => (state.selected.clear(), lookers.forEach((button) => button.setAttribute("aria-pressed", "false")), showHead()) }, "Select none"));
  further.append(
    make("div", { class: "choice", role: "group", "aria-label": "What heads do" }, chips),
    make("p", { class: "explained", id: "explained" }, `A head is named after the kind of place that gets most of its attention, if that is at least ${percent(threshold)} on average. ${left}Weights are exact to .4% of the largest. Small pictures and matrices are scaled to the largest weight of their head.`),
    alternative,
  );
  picture.append(make("div", { class: "scroll" }, thumbs), name, measured, sum, place, limits);
  picture.before(further.firstChild, document.getElementById("explained"));
  choose(0, 0);
  unpackOthers();
  onColors(() => state.form === 0 && drawArcs());
}
