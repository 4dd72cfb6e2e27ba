"""The engine of the extra `openvino`: the same model, converted once by OpenVINO's own converter. The only door to it.

From then on neither torch nor sentence-transformers is imported: what is converted is the whole model with its pooling,
and the tokenizer lies beside it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crawler.engines.setting import (
    BFLOAT16,
    FLOAT32,
    OPENVINO,
    Setting,
    iterate_batches,
    list_settings,
    to_unit_length,
)
from db.vectors import Vectors

if TYPE_CHECKING:
    from crawler.engines.torch_engine import TorchEngine

_MODEL, _TOKENIZER, _FACTS = "model.xml", "tokenizer.json", "facts.json"
_EXAMPLE = "How the loss of a language model falls with compute"
_PIECES = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
_NAMES = {FLOAT32: "f32", BFLOAT16: "bf16"}  # as OpenVINO calls them


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be known of a converted model beside its graph.

    Attributes:
        inputs: what it gets of each text, in this order.
        padding: what stands at places of padding, by input; 0 where nothing is said.
        max_length: word pieces of a text that are read.
        dimensions: the length of the vectors.
    """

    inputs: tuple[str, ...]
    padding: dict[str, int]
    max_length: int
    dimensions: int


def convert(engine: TorchEngine, folder: Path) -> None:
    """Convert a loaded model and put it into a folder that is whole or not there.

    Raises:
        EmbeddingError: the model takes something else than word pieces.
        OSError: the folder cannot be written.
        RuntimeError: OpenVINO cannot convert it; its own errors are of this kind.
    """
    openvino = _import()
    module, inputs, padding = engine.traceable(_EXAMPLE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of each shape that it looks at; the check below tells
        model = openvino.convert_model(module, example_input=tuple(inputs.values()))
    for name, port in zip(inputs, model.inputs, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
    model.validate_nodes_and_infer_types()
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        openvino.save_model(model, made / _MODEL, compress_to_fp16=False)
        engine.model.tokenizer.backend_tokenizer.save(str(made / _TOKENIZER))
        facts = Facts(tuple(inputs), padding, engine.max_length, engine.dimensions)
        (made / _FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


class OpenVinoEngine:
    """A converted model, compiled for one setting at a time."""

    def __init__(self, folder: Path, setting: Setting | None = None) -> None:
        """Open a converted model.

        Args:
            folder: as `convert` made it.
            setting: what it is compiled for; None: the first one that suits.

        Raises:
            OSError, ValueError, KeyError, TypeError: the folder is not whole.
            RuntimeError: OpenVINO cannot open or compile it.
        """
        openvino = _import()
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        self.facts = Facts(tuple(facts["inputs"]), facts["padding"], facts["max_length"], facts["dimensions"])
        self._core, self._openvino = openvino.Core(), openvino
        self._model = self._core.read_model(folder / _MODEL)
        self._tokenizer = _load_tokenizer(folder / _TOKENIZER, self.facts)
        self.use(setting or self.list_settings()[0])

    @property
    def label(self) -> str:
        """Return what vectors of this engine are told apart by: library, version, precision."""
        return f"{OPENVINO} {version('openvino')} {self.setting.precision}"

    @property
    def max_length(self) -> int:
        """Return how many word pieces of a text are read."""
        return self.facts.max_length

    @property
    def dimensions(self) -> int:
        """Return the length of the vectors."""
        return self.facts.dimensions

    def list_settings(self) -> list[Setting]:
        """Return the settings that are worth a try on this machine."""
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precisions = [BFLOAT16, FLOAT32] if "BF16" in able else [FLOAT32]
        return [setting for precision in precisions for setting in list_settings(OPENVINO, precision)]

    def use(self, setting: Setting) -> None:
        """Compute in this setting from now on."""
        self.setting = setting
        compiled = self._core.compile_model(
            self._model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _NAMES[setting.precision],
                "NUM_STREAMS": setting.streams,
                "INFERENCE_NUM_THREADS": setting.streams * setting.threads,
            },
        )
        self._queue = self._openvino.AsyncInferQueue(compiled, 2 * setting.streams)

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Args:
            prompt: what is put before each text.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        def keep(request: Any, rows: list[int]) -> None:
            vectors[rows] = request.get_output_tensor(0).data

        self._queue.set_callback(keep)
        encoded = self._tokenizer.encode_batch([prompt + text for text in texts])
        for rows in iterate_batches([len(one.ids) for one in encoded], self.setting.load):
            self._queue.start_async(self._features([encoded[row] for row in rows]), rows)
        self._queue.wait_all()
        return to_unit_length(vectors)

    def _features(self, encoded: Sequence[Any]) -> dict[str, Any]:
        """Return what the model gets of a batch of texts: by input, shape (texts, word pieces of the longest)."""
        shape = (len(encoded), max(len(one.ids) for one in encoded))
        features = {name: np.full(shape, self.facts.padding.get(name, 0), dtype=np.int64) for name in self.facts.inputs}
        for row, one in enumerate(encoded):
            for name, pieces in features.items():
                pieces[row, : len(one.ids)] = getattr(one, _PIECES[name])
        return features


def _load_tokenizer(path: Path, facts: Facts) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the cores are at work already
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    if facts.max_length:
        tokenizer.enable_truncation(facts.max_length)
    else:
        tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _import() -> Any:
    """Return OpenVINO without its telemetry, which reports conversions to its makers unless somebody said no."""
    kept = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it fails, as OpenVINO expects
    logging.getLogger("openvino").setLevel(logging.ERROR)
    try:
        import openvino
        import openvino.tools.ovc.telemetry_utils
    finally:
        if kept is None:
            del sys.modules["openvino_telemetry"]
        else:
            sys.modules["openvino_telemetry"] = kept
    return openvino
