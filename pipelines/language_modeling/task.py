"""Language modeling: from raw text to a SavedModel that continues a prompt, or fills in what is hidden.

    attention-zoo train language_modeling                     # Shakespeare, a small GPT-2
    attention-zoo train language_modeling --preset bert       # hidden words, and an encoder for other tasks
    attention-zoo train language_modeling --data.files poems.txt letters.txt
    attention-zoo predict language_modeling "Enter Romeo and" --attention attention.png

The file reads in the order in which a text travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `say`, `view`. `causal.py`, `masked.py`, `paired.py` and `permuted.py`
have what the kinds of models do at each step, `writer.py` what turns a prompt into its continuation.
"""

import tensorflow as tf

from attention_zoo.pipelines.datasets.plain_texts import read_texts
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.asking import ask_rows, noted
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.training.schedules import BIASES_AND_NORMS
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.abilities.fill_mask import FillMask
from attention_zoo.pipelines.language_modeling.causal import Causal
from attention_zoo.pipelines.language_modeling.masked import Masked
from attention_zoo.pipelines.language_modeling.paired import Paired
from attention_zoo.pipelines.language_modeling.permuted import Permuted
from attention_zoo.pipelines.language_modeling.settings import LanguageModelingConfig

OBJECTIVES = {"gpt2": Causal, "bert": Masked, "roberta": Masked, "albert": Masked, "xlnet": Permuted}
SAMPLE_LENGTH = 40  # characters


class LanguageModeling(Task):
    """Text in, its continuation or its hidden words out; see `Task` for the order of the methods."""

    name = "language_modeling"
    Config = LanguageModelingConfig
    View = Alignment
    answers_with = "completed"
    changeable_data_settings = ("strict",)
    adapted_settings = ("data.vocabulary_size", "model.context")
    undecayed = BIASES_AND_NORMS

    def __init__(self, config, run_directory):
        super().__init__(config, run_directory)
        paired = getattr(config.model, "pairs", "none") != "none"
        self.objective = (Paired if paired else OBJECTIVES[config.model.name])(config, self.folder)

    def load(self):
        """Finds the texts of the three splits."""
        data = self.config.data
        splits = (data.train_split, data.validation_split, data.test_split)
        self.texts = read_texts(data.dataset, splits, data.files, data.limit, data.strict, data.dev, data.test)
        self.data_version = self.texts["train"].version
        for split, one in self.texts.items():
            print(describe_split(split, len(one.texts), "texts"))

    def adapt(self):
        """Learns the pieces of words from the training split, once a run, and tokenises all splits."""
        sizes = self.objective.adapt(self.texts)
        for split in SPLITS:
            tokens, text_bytes = sizes[split]
            if not tokens:
                raise UserError(f"--data.dataset: expected text in the split {split}, received none")
            print(f"{split}: {tokens:,} tokens of {text_bytes / tokens:.2f} bytes")

    def preprocess(self, split, epoch):
        """Returns batches of rows of `model.context` tokens at most."""
        training, context = self.config.training, self.config.model.context
        rows = training.batch_tokens // context
        if not rows:
            raise UserError(
                f"--training.batch_tokens: expected at least --model.context, {context}; "
                f"received {training.batch_tokens}"
            )
        return self.objective.batches(split, rows, training.seed, epoch)

    def build(self):
        """Returns the model that `model.name` asks for."""
        return self.objective.build()

    def loss(self, model, batch, training):
        """Cross-entropy of the tokens that are to be predicted, summed."""
        return self.objective.loss(model, batch, training)

    def evaluate(self, model, split):
        """Perplexity of a token; bits per byte of GPT-2, and shares of right hidden tokens and pairs of the others."""
        return self.objective.evaluate(model, split)

    def baselines(self):
        """Scores of models without attention."""
        return self.objective.baselines(self.config.baselines.names)

    def signatures(self, model):
        """Returns what the SavedModel answers: the text with what was missing, and this with the attention."""
        return self.objective.signatures(model, self.samples()[:2])

    def samples(self):
        """Returns four inputs made of lines of the test split of about forty characters."""
        texts = {text.decode("utf-8", "replace").strip() for text in self.texts["test"].texts.as_numpy_iterator()}
        lines = sorted({line.strip() for text in texts for line in text.split("\n") if line.strip()})
        best = sorted(lines, key=lambda line: abs(len(line) - SAMPLE_LENGTH))[:4]
        return [self.objective.sample(line, whole=line in texts) for line in best]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.samples()[0], picture="attention.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Completes texts: a dict each, as `Writer` or `FillMask` return it."""
        answers = ask_rows(served, attention, text=tf.constant(inputs))
        continued = any("completion" in answer for answer in answers)
        return noted(inputs, answers, f"the {'end' if continued else 'beginning'} was read")

    @staticmethod
    def say(answer):
        """Returns a prompt with its continuation in one line, or a line of the best tokens for each hidden one.

        A slash stands for the end of a line.
        """
        if "fillers" in answer:
            return FillMask.say(answer)
        return " / ".join(line.strip() for line in answer["completed"].splitlines() if line.strip())

    @staticmethod
    def view(answer):
        """Returns the mean attention of the heads of each layer."""
        return Ability.view(shown(answer))

    @staticmethod
    def view_heads(answer):
        """Returns the attention of every head of every layer."""
        return Ability.view_heads(shown(answer))

    view_page = view_heads


def shown(answer):
    """Returns an answer whose tokens can stand beside a picture: the ends of lines are visible."""
    return answer | {"tokens": [str(token).replace("\n", "\\n") for token in answer["tokens"]]}
