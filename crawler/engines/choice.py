"""Which setting is used: the fastest one that keeps every vector close to float32's, measured once on each machine.

The choice and the converted model lie in the cache folder, under a name of all that they depend on: the weights, what
is read of a text, the libraries and the processor.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from filelock import FileLock, Timeout

from crawler.control import StopRequested
from crawler.engines.probe import probe_texts
from crawler.engines.setting import FLOAT32, OPENVINO, Setting, count_cores, reference_setting
from db.errors import EmbeddingError
from db.text import hash_text
from db.vectors import Vectors

if TYPE_CHECKING:
    from crawler.engines.torch_engine import TorchEngine

LEAST_COSINE = 0.999  # between a vector and float32's of the same text
FORM = 2  # of what is kept; raise it with every change of what is tried or checked
TRIED = 32  # texts for each core: with few, what is left for the last batches decides
ROUNDS = 2  # in which a setting is timed; the best one counts, for others' work only ever takes time
PATIENCE_SECONDS = 300.0  # with another process that measures
HOPELESS = 0.6  # of the best speed so far: a setting that is slower in its first round has no second one

_PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers", "openvino")


class Engine(Protocol):
    """Computes vectors in one setting at a time."""

    @property
    def setting(self) -> Setting:
        """Return the setting."""

    @property
    def label(self) -> str:
        """Return what vectors of this engine are told apart by: library, version, precision."""

    @property
    def max_length(self) -> int:
        """Return how many word pieces of a text are read."""

    @property
    def dimensions(self) -> int:
        """Return the length of the vectors."""

    def list_settings(self) -> list[Setting]:
        """Return the settings that are worth a try on this machine."""

    def use(self, setting: Setting) -> None:
        """Compute in this setting from now on."""

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting as it was measured: texts per second, and the least cosine with float32's vectors of the same texts."""

    setting: Setting
    texts_per_second: float
    least_cosine: float

    @property
    def is_close(self) -> bool:
        """Tell whether all its vectors are close to float32's."""
        return self.least_cosine >= LEAST_COSINE


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting in use, and all that were tried, the reference first."""

    best: Trial
    tried: tuple[Trial, ...]

    @classmethod
    def of(cls, tried: Sequence[Trial], among: Sequence[Trial]) -> Choice:
        """Choose the fastest setting of some whose vectors are close; the reference's always are."""
        return cls(
            max((trial for trial in among if trial.is_close), key=lambda one: one.texts_per_second), tuple(tried)
        )

    def describe(self) -> str:
        """Say in a line what is used, and how it was measured beside the reference."""
        reference = self.tried[0]
        return (
            f"{self.best.setting}: {self.best.texts_per_second:.0f} texts/s here, float32"
            f" {reference.texts_per_second:.0f}; least cosine {self.best.least_cosine:.5f}"
        )


class Cache:
    """The folder where choices and converted models lie; what is broken in it counts as absent."""

    def __init__(self, folder: Path, key: str) -> None:
        self._choice = folder / "engines" / f"{key}.json"
        self.converted = folder / "openvino" / key

    @contextmanager
    def alone(self, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
        """Keep other processes waiting that would measure and convert the same, where the folder can be written.

        They wait some minutes at most, for the one that is at work may hang.
        """
        lock = FileLock(self._choice.with_suffix(".lock"))
        with suppress(OSError, NotImplementedError):  # a wait that is over is an OSError, too
            self._choice.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say("Another process is finding the fastest setting for the model; this one waits for it.")
                lock.acquire(timeout=PATIENCE_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def load(self) -> Choice | None:
        """Return the choice that was made before, or None."""
        try:
            told = json.loads(self._choice.read_text(encoding="utf-8"))
            choice = Choice(_read_trial(told["best"]), tuple(_read_trial(one) for one in told["tried"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return choice if choice.tried and choice.best.setting.holds() else None

    def save(self, choice: Choice) -> bool:
        """Keep a choice, and tell whether that could be done; else the next run measures again."""
        try:
            self._choice.parent.mkdir(parents=True, exist_ok=True)
            written = self._choice.with_suffix(".new")
            written.write_text(json.dumps(asdict(choice), indent=1) + "\n", encoding="utf-8")
            written.replace(self._choice)
        except OSError:
            return False
        return True

    def forget(self) -> None:
        """Throw away what turned out to be broken."""
        with suppress(OSError):
            self._choice.unlink(missing_ok=True)
        shutil.rmtree(self.converted, ignore_errors=True)


def _read_trial(told: dict[str, Any]) -> Trial:
    return Trial(Setting(**told["setting"]), float(told["texts_per_second"]), float(told["least_cosine"]))


def name_machine(revision: str, prompt: str | None, longest: int | None, asked: str) -> str:
    """Return the name of all that a choice depends on, as hexadecimal digits.

    Args:
        revision: the hashes of the weights and of the files beside them.
        longest: word pieces that are read of a text, where the model's folder says it.
        asked: the setting `engine`.
    """
    facts = [str(FORM), revision, repr(prompt), str(longest), asked, _processor(), str(count_cores())]
    return hash_text("\n".join([*facts, *(f"{name} {_version(name)}" for name in _PACKAGES)]))[:16]


def _processor() -> str:
    """Return the processor's name with what it can do, as far as the system tells."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in told if line.startswith(("model name", "flags", "Features")))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def raise_if_stopped(error: BaseException) -> None:
    """Raise what a stop was asked for with, where a library has made an error of its own of it.

    Raises:
        StopRequested: it is among what led to the error.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, StopRequested):
            raise StopRequested from error
        cause = cause.__cause__ or cause.__context__


def make_choice(
    torch_engine: TorchEngine,
    prompt: str,
    cache: Cache,
    *,
    library: str | None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Engine, Choice]:
    """Measure what is worth a try, keep the choice, and return the engine in its setting.

    Args:
        torch_engine: in float32.
        library: the only one that is tried beside the reference; None: OpenVINO where it is installed, else torch.

    Raises:
        EmbeddingError: OpenVINO was asked for, and is not installed or cannot take this model.
    """
    if library == OPENVINO and find_spec(OPENVINO) is None:
        raise EmbeddingError(
            "OpenVINO is not installed", "`pip install bmprinciples[openvino]`, or set BMP_ENGINE=torch"
        )
    trials, engine, failure = _Trials(prompt), None, ""
    trials.add(torch_engine, [reference_setting()])
    if library == OPENVINO or (library is None and find_spec(OPENVINO) is not None):
        try:
            engine = _open_converted(torch_engine, cache)
            trials.add(engine, engine.list_settings())
        except Exception as error:  # of another library's converter any kind may come
            raise_if_stopped(error)
            failure = " ".join(str(error).split())[:200]
            say(f"OpenVINO is not used: {failure}")
    converted = [one for one in trials.made if one.setting.library == OPENVINO and one.is_close]
    if library == OPENVINO and not converted:
        raise EmbeddingError(
            f"OpenVINO cannot take this model: {failure or 'its vectors differ'}", "set BMP_ENGINE=torch"
        )
    if not converted:
        trials.add(torch_engine, torch_engine.list_settings())
    choice = Choice.of(trials.made, among=converted if library == OPENVINO else trials.made)
    if not cache.save(choice):
        say("The cache folder (BMP_CACHE) cannot be written; each run looks for the fastest setting again.")
    chosen: Engine = engine if engine is not None and choice.best.setting.library == OPENVINO else torch_engine
    chosen.use(choice.best.setting)
    return chosen, choice


def _open_converted(torch_engine: TorchEngine, cache: Cache) -> Engine:
    from crawler.engines.openvino_engine import OpenVinoEngine, convert
    from crawler.engines.torch_engine import quiet_libraries

    with quiet_libraries():
        convert(torch_engine, cache.converted)
    return OpenVinoEngine(cache.converted)


def open_chosen(choice: Choice, cache: Cache, load_torch: Callable[[], TorchEngine]) -> Engine | None:
    """Return the engine of a choice that was made before; None where what was converted cannot be used any more.

    Args:
        load_torch: loads the model, where the choice needs it.
    """
    try:
        if choice.best.setting.library != OPENVINO:
            engine = load_torch()
            engine.use(choice.best.setting)
            return engine
        from crawler.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(cache.converted, choice.best.setting)
    except EmbeddingError:
        raise
    except Exception as error:  # a graphics card that is gone, a file that is not whole: it is chosen anew
        raise_if_stopped(error)
        cache.forget()
        return None


class _Trials:
    """Times settings one after the other and compares their vectors with those of the library's own encode."""

    def __init__(self, prompt: str) -> None:
        self._texts, self._prompt = probe_texts(TRIED * max(2, count_cores())), prompt
        self._truth: Vectors | None = None
        self.made: list[Trial] = []

    def add(self, engine: Engine, settings: Sequence[Setting]) -> None:
        """Try these settings of an engine, except float32 where vectors of a faster precision turned out to be close.

        A setting whose own vectors are not close, or that is much slower than another one, is timed but once.
        """
        for setting in settings:
            if setting.precision == FLOAT32 and any(
                one.is_close and one.setting.precision != FLOAT32 for one in self.made
            ):
                continue
            try:
                self._try(engine, setting)
            except Exception as error:  # a library that cannot do it says so in its own way
                raise_if_stopped(error)
                if not self.made:
                    raise

    def _try(self, engine: Engine, setting: Setting) -> None:
        if self._truth is None:  # as the library itself computes it, before a way of ours is taken
            self._truth = engine.encode(self._texts, self._prompt)
        engine.use(setting)
        engine.encode(self._texts[:1], self._prompt)  # what is done once is not timed
        best, cosine = 0.0, 1.0
        for _ in range(ROUNDS):
            began = time.perf_counter()
            vectors = engine.encode(self._texts, self._prompt)
            best = max(best, len(self._texts) / (time.perf_counter() - began))
            cosine = least_cosine(vectors, self._truth)
            if cosine < LEAST_COSINE or best < HOPELESS * max((one.texts_per_second for one in self.made), default=0):
                break
        self.made.append(Trial(setting, round(best, 1), cosine))


def least_cosine(some: Vectors, others: Vectors) -> float:
    """Return the least cosine between the rows of two sets of unit vectors, shape (n, d); 0 where one is no number."""
    cosines = np.einsum("nd,nd->n", some.astype(np.float64), others.astype(np.float64))
    return round(float(np.nan_to_num(cosines, nan=0.0).min()), 6)
