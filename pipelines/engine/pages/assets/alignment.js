/* Alignment: a matrix for each map, and the words that were read shaded by what one written word looked at. */

async function draw(content, { tools, picture, further }) {
  const levels = {};
  for (const [name, level] of Object.entries(content.levels)) levels[name] = { ...level, weights: await unpack(level.weights) };
  const names = Object.keys(levels);
  const state = { level: names[0], map: 0, pointed: null, kept: null, here: null };
  let matrices = [];

  const level = () => levels[state.level];
  const at = (map) => {
    const [, rows, columns] = level().weights.shape;
    return (row, column) => level().weights.at((map * rows + row) * columns + column);
  };
  const written = make("ul", { class: "tokens", id: "written", "aria-label": content.sides[1] });
  const read = make("ul", { class: "tokens", id: "read", "aria-label": content.sides[0] });
  const maps = make("div", { class: "maps" });
  const alternative = asTable(() => {
    const { target, source } = level();
    const title = `What each word of "${content.sides[1]}" looked at most${content.names[state.map] ? ` (${content.names[state.map]})` : ""}`;
    return table(title, [content.sides[1], ...["most", "second", "third"].slice(0, source.length)], mostAttended(target, source, at(state.map)));
  });

  if (names.length > 1) {
    tools.append(choice("Parts of the text", names, (index) => ((state.level = names[index]), (state.kept = null), build())));
  }
  if (content.names.length > 1) {
    tools.append(choice("Map that shades the words", content.names, (index) => ((state.map = index), shade(), alternative.refresh())));
  }

  function shade() {
    const row = state.here ?? state.kept;
    const { source, target } = level();
    const weights = row === null ? null : source.map((_, column) => at(state.pointed ?? state.map)(row, column));
    const largest = weights ? Math.max(...weights, 1e-9) : 1;
    [...read.children].forEach(({ firstChild: word }, column) => {
      const color = weights && blue(weights[column] / largest);
      Object.assign(word.style, { backgroundColor: color ? css(color) : "", color: color ? inkOn(color) : "" });
    });
    [...written.children].forEach(({ firstChild: word }, place) => {
      word.setAttribute("aria-pressed", String(place === state.kept));
    });
    if (weights) {
      const best = weights.map((_, i) => i).sort((a, b) => weights[b] - weights[a]).slice(0, 3);
      tell(`${target[row]} looked at ${best.map((i) => `${source[i]} ${short(weights[i])}`).join(", ")}`);
    }
  }

  function keep(row) {
    state.kept = state.kept === row ? null : row;
    matrices.forEach((matrix) => ((matrix.kept = new Set(state.kept === null ? [] : [state.kept])), matrix.emphasise()));
    shade();
  }

  function look(row) {
    state.here = row;
    shade();
  }

  function build() {
    const { source, target, weights, links } = level();
    const buttons = target.map((word, row) => make("button", {
      type: "button", dir: "auto", onclick: () => keep(row), onfocus: () => look(row), onblur: () => look(null),
      onpointerenter: () => look(row), onpointerleave: () => look(null) }, word));
    written.replaceChildren(...buttons.map((button) => make("li", {}, button)));
    arrows(written, buttons, buttons.length);
    read.replaceChildren(...source.map((word) => make("li", {}, make("span", { dir: "auto" }, word))));
    matrices = content.names.map((name, map) => new Matrix({
      name: name || "alignment", rows: target, columns: source, at: at(map), largest: weights.largest, sides: content.sides,
      marked: links.map(([from, to]) => [to, from]), pick: keep,
      tellCell: (row, column) => `${target[row]} → ${source[column]}: ${short(at(map)(row, column))}`,
      onCell: (cell) => {
        state.pointed = cell ? map : null;
        look(cell ? cell[0] : null);
      },
    }));
    maps.replaceChildren(...matrices.map((matrix, map) =>
      make("div", {}, content.names[map] ? make("h2", { class: "minor", dir: "auto" }, content.names[map]) : null, matrix.element)));
    shade();
    alternative.refresh();
  }

  picture.append(
    make("h2", { class: "minor" }, `${content.sides[1]}: point at a word, click keeps it`), written,
    make("h2", { class: "minor" }, `${content.sides[0]}: shaded by what it looked at`), read, maps,
    legend(blue, levels[names[0]].weights.largest, "weight"),
  );
  if (level().links.length) picture.append(make("p", { class: "explained" }, "Outlined: links that the data knows."));
  further.append(alternative);
  build();
  onColors(shade);
}
