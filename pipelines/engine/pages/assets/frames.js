/* Frames: a film as a player, the frame beside the frame under its map, and the numbers over time. */

async function draw(content, { tools, picture, further }) {
  const maps = await unpack(content.maps);
  const [count, rows, columns] = maps.shape;
  const { values, truths, unit, directions, limit, regions } = content;
  const images = content.images.map((source) => Object.assign(new Image(), { src: source }));
  await images[0].decode();
  const state = { frame: 0, playing: false, last: 0, strength: 0.6 };
  const zoom = Math.max(1, Math.round(300 / Math.max(...content.size)));
  const panel = (id) => make("canvas", { id, width: content.size[0] * zoom, height: content.size[1] * zoom, role: "img" });
  const [plain, under] = [panel("frame"), panel("attended")];
  const written = (number) => {
    const none = Math.abs(number) < 0.005;
    const side = none ? "" : ` (${directions[Number(number > 0)]})`;
    return `${number < 0 && !none ? "−" : "+"}${Math.abs(number).toFixed(2)} ${unit}`.trim() + side;
  };
  const mapOf = (frame) => ({ rows, columns, at: (row, column) => maps.at((frame * rows + row) * columns + column) });
  function largestOf(frame) {
    let largest = 0;
    for (let i = frame * rows * columns; i < (frame + 1) * rows * columns; i++) largest = Math.max(largest, maps.at(i));
    return largest;
  }

  const distance = (number) => `${number.toFixed(3)} ${unit}`.trim();
  function counted(frame) {
    if (!regions[frame]) return "regions not examined";
    const causal = regions[frame].filter(([, , one]) => one).length;
    const largest = Math.max(0, ...regions[frame].map(([, effect]) => effect));
    const moved = regions[frame].length ? `, without one the answer moves by at most ${distance(largest)}` : "";
    return `${regions[frame].length} attended region${regions[frame].length === 1 ? "" : "s"}, ${causal} of them causal${moved}`;
  }

  const slider = make("input", { type: "range", id: "slider", min: 0, max: count - 1, value: 0, "aria-label": "frame", oninput: () => (pause(), show(Number(slider.value))) });
  const play = make("button", { type: "button", id: "play", onclick: () => (state.playing ? pause() : start()) }, "Play");
  const numbers = make("p", { id: "numbers" });
  const plot = plotOf(values, truths, Math.max(limit, ...values.map(Math.abs), ...(truths || []).map(Math.abs)), directions);
  plot.element.addEventListener("click", (event) => {
    const box = plot.element.getBoundingClientRect();
    pause();
    show(Math.round(((event.clientX - box.left) / box.width) * (count - 1)));
  });

  async function show(frame) {
    state.frame = Math.min(count - 1, Math.max(0, frame));
    const image = images[state.frame];
    if (!image.complete) await image.decode();
    if (image !== images[state.frame]) return; // another one was asked for meanwhile
    paintUnder(plain, image, null);
    paintUnder(under, image, mapOf(state.frame), largestOf(state.frame), state.strength);
    outline(under, regions[state.frame] || [], zoom);
    const truth = truths ? `, truth ${written(truths[state.frame])}` : "";
    const text = `frame ${state.frame + 1} of ${count}: answer ${written(values[state.frame])}${truth}${regions.length ? `; ${counted(state.frame)}` : ""}`;
    numbers.textContent = text;
    slider.value = state.frame;
    slider.setAttribute("aria-valuetext", text);
    plain.setAttribute("aria-label", `Frame ${state.frame + 1}`);
    under.setAttribute("aria-label", `Frame ${state.frame + 1} under its map, strongest ${strongest(mapOf(state.frame), rows, columns)}`);
    plot.go(state.frame);
  }
  function start() {
    if (state.frame === count - 1) state.frame = -1;
    state.playing = true;
    play.textContent = "Pause";
    requestAnimationFrame(tick);
  }
  function pause() {
    state.playing = false;
    play.textContent = "Play";
  }
  function tick(now) {
    if (!state.playing) return;
    if (now - state.last >= 80) {
      state.last = now;
      if (state.frame >= count - 1) return pause();
      show(state.frame + 1);
    }
    requestAnimationFrame(tick);
  }

  tools.append(
    make("button", { type: "button", "aria-label": "Previous frame", onclick: () => (pause(), show(state.frame - 1)) }, "◀"), play,
    make("button", { type: "button", "aria-label": "Next frame", onclick: () => (pause(), show(state.frame + 1)) }, "▶"), slider,
  );
  addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.target.closest("input, summary, .scroll")) return;
    event.preventDefault();
    pause();
    show(state.frame + by);
  });
  const key = truths ? "solid: answer; dashed: truth" : "the answer at each frame";
  picture.append(
    make("div", { class: "maps" }, make("div", { class: "stage" }, make("h2", { class: "minor" }, "frame"), plain), make("div", { class: "stage" }, make("h2", { class: "minor" }, "what it attended to"), under)),
    numbers, plot.element, make("p", { class: "explained" }, `${key}. Click the curve to go there. The map is scaled to its own largest weight.`), legend(heat, 1, "share of the largest weight"));
  if (regions.length) {
    const examined = regions.filter(Boolean).length;
    picture.append(make("p", { class: "explained" },
      `Outlined${examined < count ? `, in ${examined} of the ${count} frames` : ""}: attended regions. A solid line is around a causal one: painted black, it moves the answer more than the same shape does at four random places. A dashed line is around the others.`));
  }
  const further_columns = [...(truths ? ["truth"] : []), "strongest", ...(regions.length ? ["regions"] : [])];
  further.append(asTable(() => table("The answers", ["frame", "answer", ...further_columns],
    values.map((value, frame) => [frame + 1, written(value), ...(truths ? [written(truths[frame])] : []), strongest(mapOf(frame), rows, columns),
      ...(regions.length ? [counted(frame)] : [])]))));
  await show(0);
}

/** Draws the outlines of regions: solid around causal ones, dashed around the others. */
function outline(canvas, regions, zoom) {
  const context = canvas.getContext("2d");
  for (const [corners, , causal] of regions) {
    context.beginPath();
    corners.forEach(([x, y]) => context.lineTo(x * zoom, y * zoom));
    context.closePath();
    for (const [color, width] of [["#000", 4], [causal ? "#ffab66" : "#fff", 2]]) { // seen on dark and on light
      context.setLineDash(causal ? [] : [6, 4]);
      Object.assign(context, { strokeStyle: color, lineWidth: width });
      context.stroke();
    }
  }
}

/** The numbers over time, with a cursor. */
function plotOf(values, truths, limit, directions) {
  const [width, height] = [Math.min(720, document.documentElement.clientWidth - 32), 120];
  const x = (frame) => (values.length > 1 ? (frame / (values.length - 1)) * width : 0);
  const y = (value) => height / 2 - (value / (limit || 1)) * (height / 2 - 6);
  const line = (numbers, kind) => svg("path", { class: kind, d: numbers.map((value, frame) => `${frame ? "L" : "M"}${x(frame).toFixed(1)} ${y(value).toFixed(1)}`).join("") });
  const cursor = svg("line", { class: "cursor", y1: 0, y2: height });
  const element = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "The answers over time" },
    svg("line", { class: "axis", x1: 0, x2: width, y1: height / 2, y2: height / 2 }),
    svg("text", { x: 4, y: 12, class: "side" }, directions[1]), svg("text", { x: 4, y: height - 4, class: "side" }, directions[0]),
    truths ? line(truths, "truth") : null, line(values, "answer"), cursor);
  return { element, go: (frame) => fill(cursor, { x1: x(frame), x2: x(frame) }, []) };
}
