"""The pictures of a run."""

from attention_zoo.pipelines.engine.run.illustrate import learned_texts
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.text.subwords import learn_sentencepiece


def test_the_learned_words_and_subwords_are_texts_of_the_pictures(tmp_path):
    folder = RunFolder(tmp_path)
    assert learned_texts(folder) == []
    folder.words.write_text("猫\nred", encoding="utf-8")
    folder.subwords.write_bytes(learn_sentencepiece(["犬 cat", "犬 dog"] * 5, 12, adjust=True))
    texts = learned_texts(folder)
    assert texts[:2] == ["猫", "red"] and "犬" in "".join(texts)
