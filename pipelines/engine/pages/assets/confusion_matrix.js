/* ConfusionMatrix: a table of classes (rows) and answers (columns), with recall and precision. */

async function draw(content, { tools, picture }) {
  const { labels, counts } = content;
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const rowSums = counts.map(sum);
  const columnSums = labels.map((_, column) => sum(counts.map((row) => row[column])));
  const right = sum(labels.map((_, i) => counts[i][i]));
  const total = sum(rowSums);
  const share = (part, whole) => (whole ? percent(part / whole) : "–");
  const state = { shares: 0 };
  const cells = counts.map((row, r) => row.map((count, c) => {
    const text = `${count.toLocaleString("en")} of ${rowSums[r].toLocaleString("en")} of class ${labels[r]} were answered with ${labels[c]} (${share(count, rowSums[r])})`;
    return make("td", { class: r === c ? "right" : "", title: text, onclick: () => tell(text), onpointerenter: () => tell(text) });
  }));

  function show() {
    cells.forEach((row, r) => row.forEach((cell, c) => {
      const count = counts[r][c];
      const color = blue(0.85 * Math.sqrt(rowSums[r] ? count / rowSums[r] : 0));
      Object.assign(cell.style, { backgroundColor: css(color), color: inkOn(color) });
      cell.textContent = state.shares ? share(count, rowSums[r]) : count.toLocaleString("en");
    }));
  }

  const head = (text, scope = "col") => make("th", { scope, dir: "auto" }, text);
  tools.append(choice("Numbers", ["counts", "shares of a class"], (index) => ((state.shares = index), show())));
  picture.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "confusion matrix" }, make("table", { class: "confusion" },
    make("caption", {}, `Rows: the class; columns: the answer. ${share(right, total)} of ${total.toLocaleString("en")} are right.`),
    make("thead", {}, make("tr", {}, head("class"), labels.map((label) => head(label)), head("recall"))),
    make("tbody", {}, cells.map((row, r) => make("tr", {}, head(labels[r], "row"), row, make("td", {}, share(counts[r][r], rowSums[r]))))),
    make("tfoot", {}, make("tr", {}, head("precision", "row"), labels.map((_, c) => make("td", {}, share(counts[c][c], columnSums[c]))), make("td", {}, share(right, total)))))));
  onColors(show);
}
