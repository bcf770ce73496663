/* Spans: the text with its entities, the lattice of tags, and what words attended to. */

async function draw(content, { tools, picture, further }) {
  const { words, tags, tagNames, spans } = content;
  const lattice = await unpack(content.lattice);
  const weights = content.weights && (await unpack(content.weights));
  const letters = [...content.text]; // code points
  const kinds = [...new Set(spans.map(([, , label]) => label))].sort();

  const text = make("p", { class: "annotated", dir: "auto" });
  let done = 0;
  for (const [start, end, label, sure] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (start < done) continue; // inside another one
    const told = `${letters.slice(start, end).join("")}: ${label}, confidence ${short(sure)}`;
    text.append(letters.slice(done, start).join(""), make("mark", {
      title: told, style: { backgroundColor: FILLS[kinds.indexOf(label) % FILLS.length] }, onpointerenter: () => tell(told) },
      letters.slice(start, end).join(""), " ", make("small", {}, `${label} ${short(sure)}`)));
    done = end;
  }
  text.append(letters.slice(done).join(""));

  const at = (tag, word) => lattice.at(tag * words.length + word);
  const states = new Matrix({
    name: "Probability of each tag at each word", rows: tagNames, columns: words, at, largest: 1, sides: ["word", "tag"],
    marked: tags.map((tag, word) => [tag, word]),
    tellCell: (tag, word) => `${words[word]} is ${tagNames[tag]}: ${short(at(tag, word))}${tags[word] === tag ? ", chosen" : ""}`,
  });
  picture.append(text, make("h2", {}, "Probability of each tag at each word"), states.element, legend(blue, 1, "probability; outlined: the chosen tags"));
  if (weights) {
    const seen = (row, column) => weights.at(row * words.length + column);
    const attended = new Matrix({
      name: "What each word attended to", rows: words, columns: words, at: seen, largest: weights.largest, sides: ["attended to", "word"],
      tellCell: (row, column) => `${words[row]} → ${words[column]}: ${short(seen(row, column))}`,
      pick: (row) => {
        attended.kept = new Set(attended.kept.has(row) ? [] : [row]);
        attended.emphasise();
      },
    });
    picture.append(make("h2", {}, "What each word attended to"), attended.element, legend(blue, weights.largest, "weight"));
  }
  further.append(asTable(() => make("div", {},
    table("Entities", ["entity", "label", "confidence"], spans.map(([start, end, label, sure]) => [letters.slice(start, end).join(""), label, short(sure)])),
    table("Words", ["word", "tag", "probability"], words.map((word, place) => [word, tagNames[tags[place]], short(at(tags[place], place))])))));
}
