/* Alignment: a matrix for each map, and the words that were read shaded by what one written word looked at. */

async function draw(content, { tools, picture, further }) {
  const answers = [];
  for (const { title, levels } of [content, ...content.alternatives]) {
    const unpacked = {};
    for (const [name, level] of Object.entries(levels)) unpacked[name] = { ...level, weights: await unpack(level.weights) };
    answers.push({ title, levels: unpacked });
  }
  const names = Object.keys(answers[0].levels);
  const state = { level: names[0], map: 0, pointed: null, kept: null, here: null, answer: 0 };
  let matrices = [];

  const level = (answer = 0) => answers[answer].levels[state.level];
  const at = (map, answer = 0) => {
    const { weights } = level(answer);
    const [, rows, columns] = weights.shape;
    return (row, column) => weights.at((map * rows + row) * columns + column);
  };
  const panel = (title, matrix, kind) => make("div", { class: kind }, title ? make("h2", { class: "minor", dir: "auto" }, title) : null, matrix.element);
  const written = make("ul", { class: "tokens", id: "written", "aria-label": content.sides[1] });
  const read = make("ul", { class: "tokens", id: "read", "aria-label": content.sides[0] });
  const maps = make("div", { class: "maps" });
  const alternative = asTable(() => {
    const { target, source } = level();
    const title = `What each word of "${content.sides[1]}" looked at most${content.names[state.map] ? ` (${content.names[state.map]})` : ""}`;
    const head = [content.sides[1], ...["most", "second", "third"].slice(0, source.length)];
    return make("div", {}, table(title, head, mostAttended(target, source, at(state.map))),
      answers.slice(1).map(({ title }, place) => table(title, head, mostAttended(level(place + 1).target, source, at(0, place + 1)))));
  });

  if (names.length > 1) {
    tools.append(choice("Parts of the text", names, (index) => ((state.level = names[index]), (state.kept = null), build())));
  }
  if (content.names.length > 1) {
    tools.append(choice("Map that shades the words", content.names, (index) => ((state.map = index), shade(), alternative.refresh())));
  }

  function shade() {
    const { answer } = state;
    const row = state.here ?? (answer ? null : state.kept);
    const { source, target } = level(answer);
    const weights = row === null ? null : source.map((_, column) => at(answer ? 0 : state.pointed ?? state.map, answer)(row, column));
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
    const [first, ...heads] = matrices.map((matrix, map) => panel(content.names[map] || (answers.length > 1 ? "the answer" : ""), matrix));
    maps.replaceChildren(first, ...answers.slice(1).map(({ title }, place) => panel(title, alternativeOf(title, place + 1), "alternative")), ...heads);
    shade();
    alternative.refresh();
  }

  /** The matrix of another text that could have been written; the pointer in it shades the same words that were read. */
  function alternativeOf(title, answer) {
    const { source, target, weights } = level(answer);
    return new Matrix({
      name: title, rows: target, columns: source, at: at(0, answer), largest: weights.largest, sides: content.sides,
      tellCell: (row, column) => `${target[row]} → ${source[column]}: ${short(at(0, answer)(row, column))}`,
      onCell: (cell) => {
        state.answer = cell ? answer : 0;
        look(cell ? cell[0] : null);
      },
    });
  }

  picture.append(
    make("h2", { class: "minor" }, `${content.sides[1]}: point at a word, click keeps it`), written,
    make("h2", { class: "minor" }, `${content.sides[0]}: shaded by what it looked at`), read, maps,
    legend(blue, level().weights.largest, "weight"),
  );
  if (answers.length > 1) picture.append(make("p", { class: "explained" }, "Beside the answer: other answers of the beam, with their scores."));
  if (level().links.length) picture.append(make("p", { class: "explained" }, "Outlined: links that the data knows."));
  further.append(alternative);
  build();
  onColors(shade);
}
