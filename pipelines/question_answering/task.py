"""Question answering: from questions about texts to a SavedModel that finds the answers in raw texts.

    attention-zoo train question_answering                                   # SQuAD 1.1, from scratch
    attention-zoo train question_answering --model.encoder FOLDER            # fine-tunes an encoder of the Hub
    attention-zoo train question_answering --data.files squad.json
    printf '%s\\t%s\\n' 'Who flew?' 'Ann flew to Rome.' | attention-zoo predict question_answering

The model is that of Devlin et al. 2019, section 4.2, which reads "[CLS] question [SEP] text [SEP]". A text that is too
long is read in windows, in training and at answering.

The file reads in the order in which a question travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `windows.py` has what is learned from.
"""

import copy

import tensorflow as tf

from attention_zoo.pipelines.baselines.sliding_window import sliding_window_answer
from attention_zoo.pipelines.datasets.questions import read_questions
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.scores.answer_lists import answered, keep_answers
from attention_zoo.pipelines.engine.scores.answer_overlap import overlap_line, overlap_scores
from attention_zoo.pipelines.engine.serving.asking import answer_by_length, line_of
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.training.schedules import BIASES_AND_NORMS
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.hub.abilities.answer import Answer
from attention_zoo.pipelines.hub.encoder_task import EncoderTask
from attention_zoo.pipelines.hub.encoders import has_weights, load_encoder, reader_of
from attention_zoo.pipelines.hub.run_encoders import keep_start
from attention_zoo.pipelines.models import AnswerFinder
from attention_zoo.pipelines.question_answering.settings import QuestionAnsweringConfig
from attention_zoo.pipelines.question_answering.windows import answer_loss, answer_windows

TOGETHER = 32  # questions that are answered at once
SHOWN = 12  # words before an answer and from its beginning that a picture shows


class QuestionAnswering(EncoderTask):
    """Question and text in, the answer in the text out; see `Task` for the order of the methods."""

    name = "question_answering"
    Config = QuestionAnsweringConfig
    View = Alignment
    unit = "windows"
    answers_with = Answer.answers_with
    changeable_data_settings = ("strict",)
    adapted_settings = ("data.vocabulary_size", "data.max_length")
    undecayed = BIASES_AND_NORMS
    ask = staticmethod(Answer.ask)
    say = staticmethod(Answer.say)
    view = staticmethod(Answer.view)
    view_heads = staticmethod(Answer.view_heads)
    view_page = staticmethod(Answer.view_page)

    def load(self):
        """Reads the questions of the three splits."""
        self.check_encoder()
        data = self.config.data
        options = (data.dataset, data.files, data.dev, data.test, data.limit, data.strict)
        self.questions = read_questions(*options)
        self.data_version = self.questions["train"].version
        for split in SPLITS:
            rows = self.questions[split].rows
            print(describe_split(split, len(rows), f"questions about {len({row.context for row in rows}):,} texts"))

    def adapt(self):
        """Keeps the encoder and its tokeniser in the run's folder, and cuts the texts into windows."""
        rows, data = self.questions["train"].rows, self.config.data
        texts = [*(row.question for row in rows), *dict.fromkeys(row.context for row in rows)]
        keep_start(self.folder, self.config.model, texts, data.vocabulary_size, data.max_length)
        self.encoder = self.folder.encoder
        self.reader = reader_of(self.encoder)
        self.reader.max_tokens = data.max_length
        self.begins_with_weights = has_weights(self.encoder)
        self.columns = {split: self.windows(split) for split in ("train", "validation")}

    def windows(self, split):
        """Returns the columns of a split, see `answer_windows`; says how many questions have no window.

        Raises:
            UserError: No question has one.
        """
        columns, lost = answer_windows(self.reader, self.questions[split].rows)
        if not columns["tokens"].nrows():
            raise UserError(f"--data.max_length: expected windows that hold the answers of {split}, received none")
        if lost:
            print(f"{split}: {lost:,} question{'s' * (lost > 1)} left out, whose answer is whole in no window")
        return columns

    def preprocess(self, split, epoch):
        """Returns batches of windows with like lengths, the training split in an order of its own each epoch."""
        settings = self.config.training
        shuffle = {"seed": settings.seed, "epoch": epoch, "shuffle": split == "train"}
        return token_batches(self.columns[split], settings.batch_tokens, **shuffle)

    def build(self):
        """Returns the model, built, whose encoder has the weights that it begins with."""
        model = AnswerFinder(load_encoder(self.encoder, weights=self.begins_with_weights))
        model({"tokens": tf.ones([1, 2], tf.int32)})
        return model

    def inputs_of(self, batch):
        """Returns the inputs of the model."""
        mask = batch["tokens"] > 0
        tokens = tf.where(mask, batch["tokens"] - 1, self.reader.pad)
        return {"tokens": tokens, "segments": tf.maximum(batch["segments"] - 1, 0), "mask": mask}

    def loss(self, model, batch, training):
        """Cross-entropy of the first and the last token of the answer, their mean, over the windows."""
        return answer_loss(model(self.inputs_of(batch), training=training)["logits"], batch["places"])

    @once
    def finder(self, model):
        """Returns what answers raw texts with a model, in evaluation and in serving."""
        return Answer(model, self.reader)

    def evaluate(self, model, split):
        """Exact match and F1 in percent, as SQuAD's own script computes them."""
        rows = self.questions[split].rows
        lines = [line_of([row.question, row.context]) for row in rows]
        found = answer_by_length(self.finder(model).respond_to_lines, lines, TOGETHER)
        answers = [line_of([one["answer"]]) for one in found]
        if split == "test":
            shares, names = [one["confidence"] for one in found], [row.question for row in rows]
            keep_answers(self.folder.test_answers, self.first_truths(), answers, shares, "question", names)
        return overlap_scores([row.answers for row in rows], answers)

    def first_truths(self):
        """Returns the first answer to each test question."""
        return [row.answers[0] for row in self.questions["test"].rows]

    def baselines(self):
        """F1 of the baselines, and their distance from the run, printed."""
        rows, scores = self.questions["test"].rows, {}
        truths, answers = [row.answers for row in rows], self.kept_answers(self.folder)
        for name in self.config.baselines.names:
            if name == "sliding_window":
                others = [sliding_window_answer(row.question, row.context) for row in rows]
            elif self.begins_with_weights:
                others = self.from_scratch()
            else:
                continue
            print(overlap_line(name, truths, answers, others))
            scores |= {f"{name}_{score}": value for score, value in overlap_scores(truths, others).items()}
        return scores

    def from_scratch(self):
        """Trains the same model without the weights that it begins with; returns its answers to the test split."""
        changes = {"config": copy.deepcopy(self.config), "begins_with_weights": False}
        note = "the same without the weights of the encoder, to compare with"
        twin, model, _ = train_twin(self, note, self.folder.from_scratch, **changes)
        twin.evaluate(model, "test")
        return self.kept_answers(twin.folder)

    def kept_answers(self, folder):
        """Returns the answers to the test split that a run's folder has."""
        return [answer for _, answer in answered(folder.test_answers)]

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without the attention of layers and heads."""
        return self.finder(model).signatures(model)

    def samples(self):
        """Returns the first four questions of the test split with the words around their answers."""
        found = []
        for row in self.questions["test"].rows[:4]:
            words = row.context[: row.start].split()[-SHOWN:] + row.context[row.start :].split()[:SHOWN]
            found.append(line_of([row.question, " ".join(words)]))
        return found

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.samples()[0], picture="attention.png")
