/* Scales of color, light and dark. What is drawn with them is drawn again when the scheme changes, and for printing. */

const scheme = matchMedia("(prefers-color-scheme: dark)");
const redraws = [];
let printing = false;

const isDark = () => scheme.matches && !printing;

/** Calls `redraw` at once, and again whenever the colors change. */
function onColors(redraw) {
  redraws.push(redraw);
  redraw();
}

function recolor() {
  redraws.forEach((redraw) => redraw());
}

scheme.addEventListener("change", recolor);
addEventListener("beforeprint", () => ((printing = true), recolor()));
addEventListener("afterprint", () => ((printing = false), recolor()));

// One hue, from the paper to what stands out from it: the order can be read in grey, too.
const LIGHT = [[255, 255, 255], [198, 219, 239], [107, 174, 214], [33, 113, 181], [8, 48, 107]];
const DARK = [[29, 32, 38], [30, 58, 95], [37, 99, 160], [96, 165, 220], [214, 236, 255]];
// Inferno, of matplotlib (CC0): lightness grows with the weight.
const INFERNO = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];

function between(stops, share) {
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(place));
  return stops[low].map((part, i) => Math.round(part + (place - low) * (stops[low + 1][i] - part)));
}

const blue = (share) => between(isDark() ? DARK : LIGHT, share);
const heat = (share) => between(INFERNO, share);
const css = (color) => `rgb(${color.join(" ")})`;

/** The color of a text on a color of a scale. */
function inkOn(color) {
  const [red, green, blue] = color.map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000" : "#fff";
}

// Okabe and Ito's colors, which those with red-green blindness tell apart, light enough for black text.
const FILLS = ["#F5C98B", "#A9D8F5", "#9FDDC6", "#EBC3DC", "#F3EE9E", "#C9CCF2", "#F2B8A0", "#D9D9D9"];
const DOTS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A7F00", "#6A5ACD"];

/** A bar of the scale from 0 to the largest weight, a number or an element that holds it. */
function legend(scale, largest, text) {
  const canvas = make("canvas", { width: 100, height: 1, class: "scale", "aria-hidden": "true" });
  onColors(() => {
    const context = canvas.getContext("2d");
    for (let x = 0; x < 100; x++) (context.fillStyle = css(scale(x / 99))), context.fillRect(x, 0, 1, 1);
  });
  return make("p", { class: "legend" }, "0 ", canvas, " ", typeof largest === "number" ? short(largest) : largest, ` ${text}`);
}

/** Draws `values` of rows and columns into a canvas, a pixel for each cell. */
function paint(canvas, rows, columns, at, scale) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const colors = Array.from({ length: 256 }, (_, code) => scale(code / 255));
  for (let row = 0, place = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, place += 4) {
      const color = colors[Math.min(255, Math.round(255 * at(row, column)))];
      image.data[place] = color[0];
      image.data[place + 1] = color[1];
      image.data[place + 2] = color[2];
      image.data[place + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}
