/* Saves what is shown as SVG: rectangles for backgrounds, texts where they stand, drawings and images as they are. */

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "opacity", "font-family", "font-size", "font-weight", "paint-order", "stroke-linejoin", "stroke-dasharray"];

const MARGIN = 10; // pixels around the drawing

/** Returns the SVG of an element of the page, as text; what its parts would scroll to is in it, too. */
function svgOf(root) {
  root.classList.add("whole");
  const frame = root.getBoundingClientRect();
  const boxes = [...root.querySelectorAll("*")].map((element) => element.getBoundingClientRect());
  const width = Math.ceil(Math.max(...boxes.map((box) => box.right), frame.right) - frame.left) + 2 * MARGIN;
  const height = Math.ceil(Math.max(...boxes.map((box) => box.bottom), frame.bottom) - frame.top) + 2 * MARGIN;
  const found = [svg("rect", { width, height, fill: getComputedStyle(document.body).backgroundColor })];
  visit(root, { left: frame.left - MARGIN, top: frame.top - MARGIN }, found);
  root.classList.remove("whole");
  const result = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` }, found);
  return new XMLSerializer().serializeToString(result);
}

function visit(element, corner, found) {
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden" || element.closest("details:not([open])")) return;
  const box = element.getBoundingClientRect();
  const place = { x: box.left - corner.left, y: box.top - corner.top, width: box.width, height: box.height };
  if (element instanceof SVGSVGElement) {
    const copy = element.cloneNode(true);
    copyStyles(element, copy);
    fill(copy, { x: place.x, y: place.y, width: place.width, height: place.height }, []);
    found.push(copy);
    return;
  }
  if (style.backgroundColor !== "rgba(0, 0, 0, 0)") {
    for (const part of element.getClientRects()) {
      found.push(svg("rect", { x: part.left - corner.left, y: part.top - corner.top, width: part.width, height: part.height,
        rx: parseFloat(style.borderRadius) || 0, fill: style.backgroundColor }));
    }
  }
  if (element instanceof HTMLCanvasElement) found.push(svg("image", { ...place, href: element.toDataURL(), preserveAspectRatio: "none" }));
  if (element instanceof HTMLImageElement) found.push(svg("image", { ...place, href: element.src }));
  for (const child of element.childNodes) {
    if (child.nodeType === Node.ELEMENT_NODE) visit(child, corner, found);
    if (child.nodeType === Node.TEXT_NODE) write(child, style, corner, found);
  }
}

/** Adds the words of a text node, each where the browser put it. */
function write(node, style, corner, found) {
  for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
    const range = document.createRange();
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const box = range.getBoundingClientRect();
    const size = parseFloat(style.fontSize);
    found.push(svg("text", {
      x: box.left - corner.left, y: box.top - corner.top + box.height / 2 + 0.35 * size, textLength: box.width,
      "font-family": style.fontFamily, "font-size": size, "font-weight": style.fontWeight, fill: style.color }, word));
  }
}

function copyStyles(element, copy) {
  const style = getComputedStyle(element);
  for (const name of STYLES) copy.setAttribute(name, style.getPropertyValue(name));
  copy.removeAttribute("class");
  if (style.imageRendering === "pixelated") copy.setAttribute("style", "image-rendering: pixelated");
  [...element.children].forEach((child, index) => copyStyles(child, copy.children[index]));
}

/** Hands the SVG of an element to the browser as a download. */
function saveAsSvg(root, title) {
  const url = URL.createObjectURL(new Blob([svgOf(root)], { type: "image/svg+xml" }));
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "attention";
  make("a", { href: url, download: `${name}.svg` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  tell(`Saved as ${name}.svg`);
}
