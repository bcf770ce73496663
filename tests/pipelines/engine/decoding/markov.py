"""A tiny language model with known numbers, with the methods that `decode` calls, and searches in plain NumPy."""

import itertools

import numpy as np
import tensorflow as tf

BOS, EOS = 2, 3


class Markov:
    """The next token depends on the last one, on the sum and the order of all before (states), and on the source.

    `history` grows from step to step, `total` does not: a search that forgets to reorder either gives other scores.
    """

    def __init__(self, vocabulary_size=7, source_size=5, seed=0, end_bias=0.0, sharpness=1.5):
        generator = np.random.default_rng(seed)
        self.vocabulary_size = vocabulary_size
        draw = lambda *shape: (sharpness * generator.normal(size=shape)).astype("float32")  # noqa: E731
        self.last, self.total, self.before = (draw(vocabulary_size, vocabulary_size) for _ in range(3))
        self.source, self.attention = draw(20, vocabulary_size), draw(vocabulary_size, source_size)
        self.last[:, EOS] += end_bias

    def encode(self, inputs, training=False):
        return {"source": tf.convert_to_tensor(inputs["source"])}

    def start(self, memory):
        batch = tf.shape(memory["source"])[0]
        return {"total": tf.zeros([batch], tf.int32), "history": [tf.zeros([batch, 0], tf.int32)]}

    def step(self, token, state, memory):
        (history,) = state["history"]
        source = tf.repeat(memory["source"], tf.shape(token)[0] // tf.maximum(tf.shape(memory["source"])[0], 1), axis=0)
        before = tf.reduce_sum(history * tf.range(1, tf.shape(history)[1] + 1), axis=1) % self.vocabulary_size
        logits = (
            tf.gather(self.last, token)
            + tf.gather(self.total, state["total"] % self.vocabulary_size)
            + tf.gather(self.before, before)
            + tf.gather(self.source, tf.reduce_sum(source, axis=1) % 20)
        )
        mask = source != 0
        weights = tf.where(mask, tf.gather(self.attention, token)[:, : tf.shape(mask)[1]], -float("inf"))
        state = {"total": state["total"] + token, "history": [tf.concat([history, token[:, None]], axis=1)]}
        return logits, state, {"cross": tf.nn.softmax(weights)}

    def alignment(self, scores):
        return scores["cross"]

    def log_probs(self, source, tokens):
        """Log-probabilities of what follows `tokens` (without BOS), from the definition."""
        words = [BOS, *tokens]
        before = sum(n * word for n, word in enumerate(words[:-1], start=1)) % self.vocabulary_size
        logits = self.last[words[-1]] + self.total[sum(words[:-1]) % self.vocabulary_size] + self.before[before]
        logits = (logits + self.source[sum(source) % 20]).astype("float64")
        return logits - np.log(np.exp(logits).sum())

    def coverage(self, source, tokens):
        """Attention summed over the steps of `tokens` and EOS."""
        covered = np.zeros(len(source))
        for word in [BOS, *tokens]:
            weights = np.exp(self.attention[word][: len(source)].astype("float64")) * (np.array(source) != 0)
            covered += weights / weights.sum()
        return covered

    def score(self, source, tokens, alpha=0.0, beta=0.0):
        """The penalised score of a finished hypothesis."""
        total = sum(self.log_probs(source, tokens[:n])[word] for n, word in enumerate([*tokens, EOS]))
        covered = self.coverage(source, tokens)[np.array(source) != 0]
        return total / ((6 + len(tokens)) / 6) ** alpha + beta * np.log(np.minimum(covered, 1)).sum()

    def all_answers(self, source, max_length, alpha=0.0, beta=0.0):
        """Every sequence up to `max_length`, best first."""
        words = range(EOS + 1, self.vocabulary_size)
        sequences = itertools.chain.from_iterable(itertools.product(words, repeat=n) for n in range(max_length + 1))
        scored = [(self.score(source, tokens, alpha, beta), tokens) for tokens in sequences]
        return sorted(scored, reverse=True)

    def beam_search(self, source, max_length, beams, alpha=0.0, beta=0.0):
        """Beam search over lists, without an early stop: all finished hypotheses, best first."""
        living, finished = [(0.0, ())], []
        for length in range(max_length + 1):
            candidates = []
            for total, tokens in living:
                log_probs = self.log_probs(source, tokens)
                words = [EOS] if length == max_length else range(EOS, self.vocabulary_size)
                candidates += [(total + log_probs[word], tokens, word) for word in words]
            candidates = sorted(candidates, reverse=True)[: 2 * beams]
            for total, tokens, word in candidates[:beams]:
                if word == EOS:
                    finished.append((self.score(source, tokens, alpha, beta), tokens))
            living = [(total, (*tokens, word)) for total, tokens, word in candidates if word != EOS][:beams]
        return sorted(finished, reverse=True)

    def search_by_rules(self, source, max_length, beams, alpha, rules, barred):
        """Beam search as transformers does it: the `beams` best finished hypotheses, best first."""
        living, finished = [(0.0, ())], []
        for length in range(max_length + 1):
            candidates = []
            for total, tokens in living:
                log_probs = self.log_probs(source, tokens)
                log_probs[[*range(EOS), *barred]] = -np.inf
                if rules.renormalise:
                    allowed = np.exp(self.log_probs(source, tokens))
                    log_probs -= np.log(1.0 - allowed[list(barred)].sum())
                if length == max_length:
                    candidates.append((total + (log_probs[EOS] if rules.limit == "scored" else 0.0), tokens, EOS))
                else:
                    candidates += [(total + log_probs[word], tokens, word) for word in range(EOS, self.vocabulary_size)]
            candidates = sorted(candidates, reverse=True)[: 2 * beams]
            counted = length if length == max_length and rules.limit == "cut" else length + 1
            finished += [
                (total / max(counted, 1) ** alpha, tokens) for total, tokens, word in candidates[:beams] if word == EOS
            ]
            finished = sorted(finished, reverse=True)[:beams]
            living = [(total, (*tokens, word)) for total, tokens, word in candidates if word != EOS][:beams]
            if len(finished) == beams and rules.stop != "safe":
                if rules.stop == "full" or living and living[0][0] / (length + 1) ** alpha <= finished[-1][0]:
                    break
        return finished
