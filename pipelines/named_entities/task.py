"""Named entities: from tagged sentences to a SavedModel that takes raw text and returns names and their places.

    attention-zoo train named_entities                                    # CoNLL-2003, a BiLSTM-CRF
    attention-zoo train named_entities --data.files train.conll --data.dev dev.conll --data.test test.conll
    attention-zoo predict named_entities "Peter Blackburn flew to Brussels." --attention entities.png

The file reads in the order in which a sentence travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `tagger.py` has what turns raw text into entities.
"""

import copy

import tensorflow as tf

from attention_zoo.pipelines.baselines.crf import check_installed, crf_tags
from attention_zoo.pipelines.datasets.tagged_sentences import read_tagged
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.scores.entities import entity_report, entity_scores, report_lines
from attention_zoo.pipelines.engine.serving.asking import answer_by_length, ask_rows, noted
from attention_zoo.pipelines.engine.serving.entity_answers import marked, spans_view
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.special_tokens import UNK
from attention_zoo.pipelines.engine.text.tags import names_of, parts
from attention_zoo.pipelines.engine.text.word_splitting import split_words
from attention_zoo.pipelines.engine.training.schedules import BIASES_AND_NORMS
from attention_zoo.pipelines.engine.views import Spans
from attention_zoo.pipelines.hub.encoder_task import EncoderTask
from attention_zoo.pipelines.hub.encoders import load_encoder, reader_of
from attention_zoo.pipelines.hub.run_encoders import is_kept, keep_given_encoder
from attention_zoo.pipelines.hub.text_reader import cut
from attention_zoo.pipelines.models.sequence_tagger import SequenceTagger
from attention_zoo.pipelines.named_entities.forms import WordForms
from attention_zoo.pipelines.named_entities.pieces import tags_of_pieces, tags_of_words
from attention_zoo.pipelines.named_entities.settings import NamedEntitiesConfig
from attention_zoo.pipelines.named_entities.tagger import EntityTagger
from attention_zoo.pipelines.named_entities.vocabulary import TaggerVocabulary, learn_vocabulary

EVALUATION_BATCH = 128
CHARACTERS = 5000  # characters to keep at most


class NamedEntities(EncoderTask):
    """Text in, names with their places out; see `Task` for the order of the methods."""

    name = "named_entities"
    Config = NamedEntitiesConfig
    View = Spans
    answers_with = "entities"
    unit = "words"
    changeable_data_settings = ("strict",)
    adapted_settings = ("data.vocabulary_size", "model.tagging")
    undecayed = BIASES_AND_NORMS
    say = staticmethod(marked)
    view = staticmethod(spans_view)

    def load(self):
        """Reads the tagged sentences of the three splits."""
        data = self.config.data
        self.check_encoder()
        if "crf" in self.config.baselines.names:
            check_installed()
        self.sentences = read_tagged(data.dataset, data.files, data.dev, data.test, data.limit, data.strict)
        self.data_version = self.sentences["train"].version
        for split in SPLITS:
            print(describe_split(split, len(self.sentences[split]), "sentences"))

    def adapt(self):
        """Splits the text as serving does, learns the words and characters of the training split, numbers all tags."""
        if not self.folder.labels.is_file():
            found = {parts(tag)[1] for tags in self.sentences["train"].tags for tag in tags if tag != "O"}
            atomic_write(self.folder.labels, "\n".join(sorted(found)))
        labels = self.folder.labels.read_text(encoding="utf-8").split("\n")
        self.tags = names_of(labels, bilou=self.config.model.tagging == "bilou")
        pieces = {split: split_words(tf.constant(self.sentences[split].texts())) for split in ("train", "validation")}
        files = (self.folder.words, self.folder.characters)
        if not all(path.is_file() for path in files):
            flat = pieces["train"][0].flat_values
            for path, found in zip(files, learn_vocabulary(flat, self.config.data.vocabulary_size, CHARACTERS)):
                atomic_write(path, "\n".join(found))
        self.vocabulary = TaggerVocabulary(*(path.read_text(encoding="utf-8").split("\n") for path in files))
        self.encoder, self.reader = self.folder.encoder, None
        if self.pretrained:
            if not is_kept(self.folder):
                keep_given_encoder(self.folder, self.config.model.encoder, pooler=False)
            self.reader = reader_of(self.encoder)
        self.forms = WordForms({split: words for split, (words, *_) in pieces.items()}, self.vocabulary, self.reader)
        self.columns = {split: self.number(split, *found[:2]) for split, found in pieces.items()}

    def number(self, split, words, starts):
        """Returns the columns of a split: the numbers of its words and of their tags, 0 is padding."""
        limit, bilou = self.config.data.max_words, self.config.model.tagging == "bilou"
        sentences = self.sentences[split]
        numbers = {tag: number for number, tag in enumerate(self.tags, 1)}
        rows = zip(sentences.words, sentences.tags, starts.to_list())
        tags = [numbers.get(tag, numbers["O"]) for row in rows for tag in tags_of_pieces(*row, bilou)]
        forms = self.forms.numbers[split][:, :limit]
        if shorter := int(tf.math.count_nonzero(forms.row_lengths() < words.row_lengths())):
            print(f"{split}: {shorter:,} sentences above data.max_words={limit} or the encoder's tokens are cut")
        return {"forms": forms, "tags": cut(words.with_flat_values(tags), forms.row_lengths())}

    def preprocess(self, split, epoch):
        """Returns batches of like lengths; in training, words that occur once are read as unknown at random."""
        training = self.config.training
        share = self.config.model.word_dropout if split == "train" else 0.0
        batches = token_batches(
            self.columns[split], training.batch_tokens, seed=training.seed, epoch=epoch, shuffle=split == "train"
        )

        def read(number, batch):
            inputs = self.forms.inputs(batch["forms"])
            seed = tf.stack([tf.constant(training.seed * 10_007 + epoch, tf.int64), number])
            dropped = self.forms.rare(batch["forms"])
            dropped &= tf.random.stateless_uniform(tf.shape(dropped), seed) < share
            return {**batch, **inputs, "words": tf.where(dropped, UNK, inputs["words"])}

        return batches.enumerate().map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(8)

    def build(self):
        """Returns the model, built by a call on one word."""
        options = dict(vars(self.config.model))
        encoder = options.pop("name")
        for ours in ("word_dropout", "tagging", "encoder"):
            options.pop(ours)
        word_encoder = load_encoder(self.encoder) if self.pretrained else None
        options |= {"encoder": encoder, "word_encoder": word_encoder}
        model = SequenceTagger(*self.vocabulary.sizes, self.tags, **options)
        model({"characters": tf.constant([[[UNK]]]), **self.forms.inputs(tf.constant([[1]]))})
        return model

    def rate_factors(self, model):
        """Returns `training.encoder_rate` for the weights of the encoder of words."""
        factor = self.config.training.encoder_rate
        encoder = {id(variable) for variable in model.word_encoder.variables} if model.word_encoder else ()
        return {path: factor for path, variable in variables_by_path(model).items() if id(variable) in encoder}

    def loss(self, model, batch, training):
        """Minus the log-likelihood of the tags, summed over the sentences; its weight is the number of words."""
        mask, characters = batch["words"] != 0, tf.gather(self.forms.characters, batch["forms"])  # (B, T, C)
        longest = tf.reduce_max(tf.math.count_nonzero(characters, axis=-1))
        scores = model({**batch, "characters": characters[:, :, :longest]}, training=training)
        loss = -tf.reduce_sum(model.log_likelihood(scores, batch["tags"] - 1, mask))
        return loss, tf.reduce_sum(tf.cast(mask, tf.float32)), {"loss": loss}

    @once
    def tagger(self, model):
        """Returns what answers raw text with a model, in evaluation and in serving."""
        return EntityTagger(model, self.vocabulary, self.config.data.max_words, self.reader)

    def answers(self, model, split):
        """Returns the tags of the words of a split, of the entities that serving finds in the text of its sentences."""
        sentences, found = self.sentences[split], []
        answers = answer_by_length(self.tagger(model).tag, sentences.texts(), EVALUATION_BATCH)
        for words, answer in zip(sentences.words, answers):
            count = answer["counts"]
            spans = zip(answer["starts"][:count], answer["ends"][:count], answer["labels"][:count])
            found.append(tags_of_words(words, spans))
        return found

    def evaluate(self, model, split):
        """Precision, recall and F1 of the entities in percent, on the words of the data; on test a row for a label."""
        truths, answers = self.sentences[split].tags, self.answers(model, split)
        if split == "test":
            print("\n".join(report_lines(entity_report(truths, answers))))
            rows = zip(self.sentences["test"].words, truths, answers)
            sentences = ("".join(" ".join(one) + "\n" for one in zip(*row)) for row in rows)
            atomic_write(self.folder.test_entities, "\n".join(sentences))
        return entity_scores(truths, answers)

    def baselines(self):
        """F1 of the baselines in percent."""
        found, test = {}, self.sentences["test"]
        for name in self.config.baselines.names:
            if name == "crf":
                train = self.sentences["train"]
                answers = crf_tags(train.words, train.tags, test.words)
            else:
                config = copy.deepcopy(self.config)
                config.model.head = "softmax"
                note = "the same with a softmax instead of the conditional random field, to compare with"
                twin, model, _ = train_twin(self, note, self.folder.softmax, config=config)
                answers = twin.answers(model, "test")
            found[name] = entity_scores(test.tags, answers)["f1"]
        return found

    def signatures(self, model):
        """Returns what the SavedModel answers: the entities, and the entities with the tags of the words."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        tagger = self.tagger(model)
        signatures = {"serving_default": (tagger.tag, spec), "attention": (tagger.attend, spec)}
        trackables = [one for one in (model, self.vocabulary, self.reader) if one is not None]
        return trackables, signatures, {"text": tf.constant(self.samples()[:2])}

    def sample_rows(self):
        """Numbers of four test sentences of about twelve words with several entities."""
        words, tags = self.sentences["test"].words, self.sentences["test"].tags
        kinds = [len({parts(tag)[1] for tag in row}) for row in tags]
        return sorted(range(len(words)), key=lambda row: (-kinds[row], abs(len(words[row]) - 12)))[:4]

    def samples(self):
        """Returns the sentences of `sample_rows`."""
        texts = self.sentences["test"].texts()
        return [texts[row] for row in self.sample_rows()]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.samples()[0], picture="entities.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Finds the entities of texts: a dict each, as `EntityTagger.tag` or, with attention, `attend` returns it."""
        return noted(inputs, ask_rows(served, attention, text=tf.constant(inputs)))
