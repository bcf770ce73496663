"use strict";

/** Makes an HTML element. Texts are never parsed as HTML; `on...` are listeners, `style` is an object. */
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Makes an SVG element, as `make`. */
function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Reads what `pack` of packing.py wrote: returns {shape, largest, at(index)}. */
async function unpack({ shape, largest, bits, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const codes = bits === 16 ? new Uint16Array(buffer) : new Uint8Array(buffer);
  const steps = 2 ** bits - 1;
  const table = Float32Array.from({ length: steps + 1 }, (_, code) => largest * (code / steps) ** 2);
  return { shape, largest, at: (index) => table[codes[index]] };
}

/** A number for people: .034, 0.83, 1. */
function short(number, digits = 3) {
  return number >= 0.1 || number === 0 ? number.toFixed(2).replace(/\.?0+$/, "") || "0" : number.toFixed(digits);
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

/** Says something in the line below the head of the page, and to screen readers. */
function tell(text) {
  const line = document.getElementById("said");
  if (line && line.textContent !== text) line.textContent = text;
}

/** Shows a text beside the pointer; "" hides it. */
function hint(text, event) {
  const box = document.getElementById("hint");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const { clientX: x, clientY: y } = event;
  const room = document.documentElement.clientWidth;
  box.style.left = `${Math.max(4, Math.min(x + 14, room - box.offsetWidth - 4))}px`;
  box.style.top = `${y + 18 + box.offsetHeight > innerHeight ? y - box.offsetHeight - 12 : y + 18}px`;
}

/** Buttons of which one is pressed. Calls `choose(index)` when another one is. Arrow keys move between them. */
function choice(name, labels, choose, first = 0) {
  const buttons = labels.map((label, index) => make("button", { type: "button", onclick: () => press(index) }, label));
  function press(index) {
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === index)));
    choose(index);
  }
  buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === first)));
  const group = make("div", { class: "choice", role: "group", "aria-label": name }, buttons);
  arrows(group, buttons, buttons.length);
  return group;
}

/** Lets arrow keys move the focus among elements that stand in rows of `columns`; Tab enters and leaves all of them. */
function arrows(container, elements, columns) {
  elements.forEach((element, index) => (element.tabIndex = index ? -1 : 0));
  container.addEventListener("focusin", (event) => {
    if (elements.includes(event.target)) elements.forEach((element) => (element.tabIndex = element === event.target ? 0 : -1));
  });
  container.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    const here = elements.indexOf(document.activeElement);
    let next = here + steps[event.key];
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = elements.length - 1;
    if (columns >= elements.length && event.key.match(/Up|Down/)) next = here + Math.sign(steps[event.key]);
    if (here < 0 || !elements[next]) return;
    event.preventDefault();
    elements[next].focus();
  });
}

/** A table with the head `columns` and rows of cells, of which the first is the head of its row. */
function table(caption, columns, rows) {
  const head = make("tr", {}, columns.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, String(first)), cells.map((cell) => make("td", {}, String(cell)))));
  return make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, body));
}

/** A part that is closed at first, and gets what `build` returns whenever it is opened. */
function asTable(build) {
  const place = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "the same as a table" });
  const part = make("details", { class: "alternative" }, make("summary", {}, "As a table"), place);
  const refresh = () => part.open && place.replaceChildren(build());
  part.addEventListener("toggle", refresh);
  part.refresh = refresh;
  return part;
}

/** Rows of a table that say what each token looked at most: [token, "a .70, b .20"]. */
function mostAttended(rows, columns, at, most = 3) {
  return rows.map((row, r) => {
    const places = columns.map((_, c) => c).sort((a, b) => at(r, b) - at(r, a)).slice(0, most);
    return [row, ...places.map((c) => `${columns[c]} ${short(at(r, c))}`)];
  });
}

/** Calls `act` at once, and again, at most once a frame, whenever the page gets another width. */
function onWidth(act) {
  let width = innerWidth;
  act();
  addEventListener("resize", () => {
    if (innerWidth !== width) requestAnimationFrame(act);
    width = innerWidth;
  });
}

/** Starts the page: head, picture, tools, and what `draw(content, page)` of the view's script adds. */
async function begin(draw) {
  const content = JSON.parse(document.getElementById("content").textContent);
  const main = document.getElementById("page");
  const tools = make("div", { class: "tools" });
  const picture = make("div", { class: "picture" });
  const further = make("div", { class: "further" });
  const save = make("button", { type: "button", id: "save", onclick: () => saveAsSvg(picture, document.title) }, "Save as SVG");
  main.replaceChildren(
    make("h1", { dir: "auto", class: document.title.length > 200 ? "long" : null, title: document.title }, content.title || document.title),
    content.known ? make("p", { class: "known", dir: "auto" }, content.known) : "",
    tools,
    make("p", { id: "said", role: "status" }),
    picture,
    further,
    make("footer", {}, "Drawn by attention-zoo. This file holds all that it shows, and needs no network."),
  );
  document.body.append(make("div", { id: "hint", "aria-hidden": "true", hidden: true }));
  try {
    await draw(content, { tools, picture, further });
  } catch (error) {
    tell(`This browser cannot draw the page, a newer one may: ${error.message}`);
    throw error;
  }
  tools.append(save);
  performance.mark("drawn");
  document.documentElement.dataset.drawn = "yes";
}
