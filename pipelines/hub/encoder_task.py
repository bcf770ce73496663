"""What the tasks share whose model may begin with an encoder of the Hub, or with that of another run."""

from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.hub.run_encoders import find_tokenizer, is_kept


class EncoderTask(Task):
    """A task with a setting `model.encoder`, "" for a model from scratch; see `Task` for the methods."""

    @property
    def pretrained(self) -> bool:
        """Whether the encoder begins with weights that were learned elsewhere."""
        return bool(self.config.model.encoder)

    def check_encoder(self) -> None:
        """Refuses a wrong `model.encoder`, which a task does before it reads the data.

        Raises:
            UserError: There is no such folder, or its settings or its tokeniser are of a kind that is not known here.
        """
        if self.pretrained and not is_kept(self.folder):
            find_tokenizer(self.config.model.encoder)
