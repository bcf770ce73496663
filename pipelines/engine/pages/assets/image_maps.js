/* Images under maps, and words for where a map is strongest. */

/** Paints an image in grey under the colors of a map, or, without a map, the image alone. */
function paintUnder(canvas, picture, map, largest, strength) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = width < picture.width; // an enlarged image keeps its pixels
  context.drawImage(picture, 0, 0, width, height);
  if (!map) return;
  const small = document.createElement("canvas");
  paint(small, map.rows, map.columns, (row, column) => map.at(row, column) / (largest || 1), heat);
  const shown = context.getImageData(0, 0, width, height);
  const scaled = document.createElement("canvas");
  Object.assign(scaled, { width, height });
  const other = scaled.getContext("2d", { willReadFrequently: true });
  other.imageSmoothingQuality = "high";
  other.drawImage(small, 0, 0, width, height);
  const colors = other.getImageData(0, 0, width, height).data;
  const { data } = shown;
  for (let i = 0; i < data.length; i += 4) {
    const grey = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    for (let part = 0; part < 3; part++) data[i + part] = (1 - strength) * grey + strength * colors[i + part];
  }
  context.putImageData(shown, 0, 0);
}

/** The parts of a map in a grid of three by three, with their share of its weight, largest first. */
function ninths(map, rows, columns) {
  const names = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"];
  const sums = new Array(9).fill(0);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) sums[3 * Math.floor((3 * row) / rows) + Math.floor((3 * column) / columns)] += map.at(row, column);
  }
  const total = sums.reduce((a, b) => a + b, 0) || 1;
  return names.map((name, i) => ({ name, share: sums[i] / total })).sort((a, b) => b.share - a.share);
}

const strongest = (map, rows, columns) => ninths(map, rows, columns)[0].name;
