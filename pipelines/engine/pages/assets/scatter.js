/* Scatter: a dot for each example, its truth to the right and its answer upwards, on one scale; far ones in a table. */

async function draw(content, { picture, further }) {
  const { truths, answers } = content;
  const numbers = [...truths, ...answers];
  const [least, most] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
  const margin = 0.04 * (most - least) || 1;
  const [low, high] = [least - margin, most + margin];
  const order = truths.map((_, example) => example).sort((a, b) => truths[a] - truths[b] || answers[a] - answers[b]);
  const said = (number) => number.toLocaleString("en", { maximumSignificantDigits: 4 });
  const error = (example) => answers[example] - truths[example];
  const told = (example) => `example ${example + 1}: truth ${said(truths[example])}, answer ${said(answers[example])}`;
  const [left, below] = [56, 44]; // pixels for the numbers of an axis
  const state = { chosen: null };

  const layer = svg("g");
  const mark = svg("circle", { r: 6, class: "chosen" });
  const box = svg("svg", { class: "scatter", role: "application", "aria-roledescription": "scatter plot", tabindex: 0,
    "aria-label": `${truths.length} examples by truth and answer. Arrow keys go from one to the next in the order of the truth.` }, layer);

  /** Round numbers between both ends of the axes, four to ten of them. */
  function ticks() {
    const power = 10 ** Math.floor(Math.log10((high - low) / 4));
    const step = power * [5, 2, 1].find((factor) => (high - low) / (power * factor) >= 4);
    return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
  }

  const side = () => Math.min(560, box.clientWidth) - left - 8;
  const across = (number) => left + (side() * (number - low)) / (high - low);
  const down = (number) => 8 + side() - across(number) + left;

  function show() {
    const height = side() + 8 + below;
    box.style.height = `${height}px`;
    const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });
    layer.replaceChildren(
      ...ticks().flatMap((tick) => [
        line(across(tick), down(low), across(tick), down(high), "axis"),
        line(across(low), down(tick), across(high), down(tick), "axis"),
        svg("text", { x: across(tick), y: down(low) + 16, "text-anchor": "middle" }, said(tick)),
        svg("text", { x: left - 6, y: down(tick) + 4, "text-anchor": "end" }, said(tick)),
      ]),
      line(across(low), down(low), across(high), down(high), "same"),
      svg("text", { x: across((low + high) / 2), y: height - 6, "text-anchor": "middle", class: "side" }, "truth"),
      svg("text", { x: 12, y: down((low + high) / 2), "text-anchor": "middle", class: "side",
        transform: `rotate(-90 12 ${down((low + high) / 2)})` }, "answer"),
      ...truths.map((truth, example) => svg("circle", { cx: across(truth), cy: down(answers[example]), r: 3.5 })));
    place();
  }

  function place() {
    if (state.chosen === null) return;
    fill(mark, { cx: across(truths[state.chosen]), cy: down(answers[state.chosen]) }, []);
    layer.append(mark);
  }

  function choose(example) {
    state.chosen = example;
    tell(told(example));
    place();
  }

  box.addEventListener("pointermove", (event) => {
    const frame = box.getBoundingClientRect();
    const far = (example) => Math.hypot(across(truths[example]) - event.clientX + frame.left, down(answers[example]) - event.clientY + frame.top);
    const nearest = order.reduce((best, example) => (far(example) < far(best) ? example : best));
    const near = far(nearest) < 12;
    hint(near ? told(nearest) : "", event);
    if (near) choose(nearest);
  });
  box.addEventListener("pointerleave", () => hint(""));
  box.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    const last = order.length - 1;
    choose(order[state.chosen === null ? (step > 0 ? 0 : last) : Math.min(last, Math.max(0, order.indexOf(state.chosen) + step))]);
    event.preventDefault();
  });

  picture.append(box);
  further.append(make("p", { class: "explained" }, "On the dashed line the answer is the truth."),
    asTable(() => table("The examples, those first whose answer is farthest from the truth", ["example", "truth", "answer", "answer − truth"],
      [...order].sort((a, b) => Math.abs(error(b)) - Math.abs(error(a))).map((example) =>
        [example + 1, said(truths[example]), said(answers[example]), said(error(example))]))));
  onWidth(show);
}
