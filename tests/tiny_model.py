"""Makes a sentence-transformers model that is real but for its size: seeded weights, nothing learned, no network."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

DIMENSIONS = 32
LONGEST_TEXT = 128
SEED = 20261125

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    "a an and are at by for from in is it its no of on or that the this to we when with scaling law loss compute model"
    " models data training tokens parameters attention grokking weight decay batch size learning rate emergent double"
    " descent network networks power exponent sparse mixture experts context paper show find large small language ##s"
    " ##ing ##ed ##ly ##tion ##er"
)
_CONFIG = {
    "hidden_size": DIMENSIONS,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": LONGEST_TEXT,
}
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


def make_tiny_model(folder: Path) -> Path:
    """Write the model into a new folder and return it; the same bytes every time."""
    folder.mkdir(parents=True)
    vocabulary = _list_vocabulary()
    _write_weights(folder, len(vocabulary))
    _write_tokenizer(folder, vocabulary)
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(_MODULES)
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": LONGEST_TEXT, "do_lower_case": False})
    pooling = {"word_embedding_dimension": DIMENSIONS, "pooling_mode_mean_tokens": True}
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    (folder / "2_Normalize").mkdir()
    return folder


def _list_vocabulary() -> list[str]:
    letters = string.ascii_lowercase + string.digits
    return list(
        dict.fromkeys([*_SPECIAL, *letters, *(f"##{x}" for x in letters), *string.punctuation, *_WORDS.split()])
    )


def _write_weights(folder: Path, vocabulary_size: int) -> None:
    import torch
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        BertModel(BertConfig(vocab_size=vocabulary_size, **_CONFIG)).save_pretrained(folder)


def _write_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer({word: i for i, word in enumerate(vocabulary)}, lowercase=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    told = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": LONGEST_TEXT}
    _write_json(folder / "tokenizer_config.json", {**told, **dict(zip(names, _SPECIAL, strict=True))})


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
