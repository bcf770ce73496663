/* HeatMaps: the image under the map of one word after the other. */

async function draw(content, { tools, picture, further }) {
  const maps = await unpack(content.maps);
  const [count, rows, columns] = maps.shape;
  const image = new Image();
  image.src = content.image;
  await image.decode();
  const mapOf = (number) => ({ rows, columns, at: (row, column) => maps.at((number * rows + row) * columns + column) });
  const state = { number: 0, timer: null, strength: 0.6, own: !content.one_scale };
  const top = make("span", {});

  function largestOf(number) {
    let largest = 0;
    for (let i = number * rows * columns; i < (number + 1) * rows * columns; i++) largest = Math.max(largest, maps.at(i));
    return largest;
  }
  const scaleOf = (number) => (state.own ? largestOf(number) : maps.largest);

  const zoom = Math.max(1, Math.round(420 / Math.max(image.width, image.height)));
  const canvas = make("canvas", { width: image.width * zoom, height: image.height * zoom, role: "img", id: "image",
    onpointermove: (event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.min(columns - 1, Math.floor((columns * (event.clientX - box.left)) / box.width));
      const row = Math.min(rows - 1, Math.floor((rows * (event.clientY - box.top)) / box.height));
      hint(`${content.captions[state.number]}: ${short(mapOf(state.number).at(Math.max(0, row), Math.max(0, column)))}`, event);
    },
    onpointerleave: () => hint("") });
  const thumbs = content.captions.map((caption, number) => {
    const small = make("canvas", { width: 76, height: Math.max(8, Math.round((76 * image.height) / image.width)), "aria-hidden": "true" });
    paintUnder(small, image, mapOf(number), scaleOf(number), 0.6);
    return make("button", { type: "button", title: caption, onclick: () => show(number), onfocus: () => show(number) }, small, make("span", { dir: "auto" }, caption));
  });
  const strip = make("div", { class: "strip", role: "group", "aria-label": "words" }, thumbs);
  const play = make("button", { type: "button", id: "play", onclick: () => (state.timer ? stop() : start()) }, "Play");
  const caption = make("h2", { id: "caption", dir: "auto" });

  function show(number) {
    state.number = (number + count) % count;
    const largest = scaleOf(state.number);
    paintUnder(canvas, image, state.strength ? mapOf(state.number) : null, largest, state.strength);
    top.textContent = short(largest);
    thumbs.forEach((thumb, other) => thumb.setAttribute("aria-pressed", String(other === state.number)));
    caption.textContent = content.captions[state.number];
    const where = strongest(mapOf(state.number), rows, columns);
    canvas.setAttribute("aria-label", `The image under the map of "${content.captions[state.number]}", strongest ${where}`);
    tell(`${state.number + 1} of ${count}: ${content.captions[state.number]}, strongest ${where}`);
  }
  function start() {
    state.timer = setInterval(() => show(state.number + 1), 900);
    play.textContent = "Pause";
  }
  function stop() {
    clearInterval(state.timer);
    state.timer = null;
    play.textContent = "Play";
  }
  const step = (by) => (stop(), show(state.number + by));

  tools.append(
    make("button", { type: "button", onclick: () => step(-1), "aria-label": "Previous" }, "◀"), play,
    make("button", { type: "button", onclick: () => step(1), "aria-label": "Next" }, "▶"),
    choice("What is shown", ["image and map", "image"], (index) => ((state.strength = index ? 0 : 0.6), show(state.number))),
    choice("Scale of the colors", ["one scale for all", "each map its own"], (index) => ((state.own = index === 1), show(state.number)), Number(state.own)),
  );
  addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.target.closest(".choice, .scroll, summary")) return;
    event.preventDefault();
    step(by);
    if (strip.contains(event.target)) thumbs[state.number].focus();
  });
  thumbs.forEach((thumb, number) => (thumb.tabIndex = number ? -1 : 0));
  picture.append(caption, make("div", { class: "stage" }, canvas), legend(heat, top, "weight"), strip);
  const alternative = asTable(() => table("Where the weight lies, in a grid of three by three",
    ["map", "strongest", "share of the strongest third"],
    content.captions.map((text, number) => [text, strongest(mapOf(number), rows, columns), percent(ninths(mapOf(number), rows, columns)[0].share)])));
  further.append(alternative);
  show(0);
}
