/* ShadedText: words shaded by their weight in the sentence, by the weight of the sentence, or by both. */

async function draw(content, { tools, picture, further }) {
  const { sentences, shares } = content;
  const largestShare = Math.max(...shares, 1e-9);
  const state = { by: 0 };
  const modes = ["both levels", "words in their sentence", "sentences"];
  const spans = sentences.map(({ words }) => words.map((word) => make("span", { class: "word" }, word)));

  const lines = sentences.map(({ words, weights }, number) => {
    const bar = make("div", { style: { width: `${(100 * shares[number]) / largestShare}%` } });
    spans[number].forEach((span, place) => {
      const text = `${words[place].trim()}: ${short(weights[place])} of its sentence, which has ${short(shares[number])} of the text`;
      span.addEventListener("pointerenter", (event) => (tell(text), hint(text, event)));
      span.addEventListener("pointerleave", () => hint(""));
    });
    const decides = content.decides[number];
    return make("div", { class: `sentence${decides ? " decides" : ""}`, role: "listitem" },
      make("span", { class: "share" }, `${decides ? "★ " : ""}${percent(shares[number])}`), make("div", { class: "bar", "aria-hidden": "true" }, bar), make("p", { dir: "auto" }, spans[number]));
  });

  function shade() {
    // As in the picture, the root of the sentence's share: a word of a weak sentence stays visible.
    const strength = (number, place) => [
      Math.sqrt(shares[number]) * sentences[number].weights[place], sentences[number].weights[place], shares[number]][state.by];
    const all = sentences.flatMap(({ words }, number) => words.map((_, place) => strength(number, place)));
    const largest = all.reduce((a, b) => Math.max(a, b), 1e-9);
    spans.forEach((words, number) => words.forEach((span, place) => {
      const own = state.by === 1 ? Math.max(...sentences[number].weights, 1e-9) : largest;
      const share = strength(number, place) / own;
      const color = blue(0.75 * share);
      Object.assign(span.style, share < 0.03 ? { backgroundColor: "", color: "" } : { backgroundColor: css(color), color: inkOn(color) });
    }));
  }

  tools.append(choice("What the shade shows", modes, (index) => ((state.by = index), shade())));
  picture.append(make("div", { role: "list", "aria-label": "sentences" }, lines), make("p", { class: "explained" },
    "The number and the bar are the share of the text's attention that a sentence has. Both levels: the weight of the word times the root of that share." +
    (content.decides.length ? " ★ marks the sentences that are known to decide." : "")));
  further.append(asTable(() => table("Sentences and the words with the largest weights", ["sentence", "share", "words"],
    sentences.map(({ words, weights }, number) => [number + 1, percent(shares[number]),
      words.map((_, i) => i).sort((a, b) => weights[b] - weights[a]).slice(0, 5).map((i) => `${words[i].trim()} ${short(weights[i])}`).join(", ")]))));
  onColors(shade);
}
