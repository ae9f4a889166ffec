"""A trained model on disk: weights as safetensors (loading them runs no code) and one JSON that says what they are.

Either a model folder that a run wrote (`model.safetensors`, `model.json`), or a shipped pair `<task>.safetensors`,
`<task>.json`, named by their common stem.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from tasks import UnknownTaskError, get_task
from tasks.checksums import sha256_of
from training.config import NetworkConfig
from training.errors import ConfigError, WeightsError
from training.networks import build_network
from training.serving_module import Calibration, ServingModule

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"
# What a repository carries without large-file storage.
MAX_SHIPPED_BYTES = 3_000_000


@dataclass(frozen=True)
class ModelCard:
    """What a trained model says of itself.

    Attributes:
        task: name of the TaskSpec.
        network: the fields of `NetworkConfig`.
        calibration: the fields of `Calibration`.
        weights_sha256: of the weights file.
        data_digest: `training.sources.data_digest` of all samples.
        trained_on: first 16 digits of the digest of every sample that the network or its calibration saw.
        subjects: of each group of the split.
        judged_on: first 16 digits of the digest of every held-out sample; empty in cards of before it was kept.
        metrics: pooled over the held-out pictures.
        intervals: 95 % bootstrap intervals of the metrics, lower and upper bound.
        parameters, gflops: of the network.
        run_id: of the tracked run that made it; empty if it was not tracked.
        code_revision, versions: what made it.
        config: the run's whole configuration.
    """

    task: str
    network: dict[str, Any]
    calibration: dict[str, float]
    weights_sha256: str
    data_digest: str
    trained_on: list[str]
    subjects: dict[str, list[str]]
    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    parameters: int
    gflops: float
    run_id: str
    code_revision: str
    versions: dict[str, str]
    config: dict[str, Any] = field(default_factory=dict)
    judged_on: list[str] = field(default_factory=list)


def save_weights(network: nn.Module, folder: Path) -> str:
    """Write the weights and return their SHA-256."""
    path = folder / WEIGHTS_FILE
    partial = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, partial)
    partial.replace(path)
    return sha256_of(path)


def save_card(card: ModelCard, folder: Path) -> None:
    """Write the JSON beside the weights; last, because a folder with it counts as complete."""
    _write_card(card, folder / CARD_FILE)


def load_card(model: Path) -> ModelCard:
    """Return what a model folder or a shipped pair says of itself.

    Raises:
        WeightsError: no such model, or its JSON is not a model card.
    """
    path = _files(model)[1]
    try:
        card = ModelCard(**json.loads(path.read_text()))
        get_task(card.task)
    except (ValueError, TypeError, OSError, UnknownTaskError) as error:
        raise WeightsError(f"{path} is not a model card: {error}") from error
    return card


def load_network(model: Path) -> tuple[nn.Module, ModelCard]:
    """Return the trained network in evaluation mode, and its card.

    Raises:
        WeightsError: missing, changed since training, or not fitting the network that the card names.
    """
    card = load_card(model)
    path = _files(model)[0]
    if not path.is_file() or sha256_of(path) != card.weights_sha256:
        raise WeightsError(f"{path} is missing or not the file that its JSON describes; train again")
    try:
        network = build_network(NetworkConfig(**card.network), get_task(card.task))
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, TypeError, ConfigError) as error:
        raise WeightsError(f"{path} does not fit the network {card.network}: {error}") from error
    return network.eval(), card


def load_serving_module(model: Path) -> tuple[ServingModule, ModelCard]:
    """Return the trained network as it is served, with its calibration, and its card.

    Raises:
        WeightsError: as `load_network`.
    """
    network, card = load_network(model)
    return ServingModule(network, get_task(card.task), Calibration(**card.calibration)).eval(), card


def ship(model: Path, to: Path) -> None:
    """Copy a model folder's weights and card to `<to>.safetensors` and `<to>.json`, without this machine's paths.

    Raises:
        WeightsError: the model cannot be loaded or its weights are too large to be shipped.
    """
    _, card = load_network(model)
    source = _files(model)[0]
    if source.stat().st_size > MAX_SHIPPED_BYTES:
        raise WeightsError(f"{source} has {source.stat().st_size:,} bytes and {MAX_SHIPPED_BYTES:,} may be shipped")
    to.parent.mkdir(parents=True, exist_ok=True)
    weights, described = _files(to)
    shutil.copyfile(source, weights)
    _write_card(replace(card, config=_without_places(card.config)), described)


def _without_places(config: dict[str, Any]) -> dict[str, Any]:
    """Return a run's configuration as anybody can repeat it: where data and records lay is nobody's business."""
    kept = {name: value for name, value in config.items() if name not in ("out", "resume", "tracking")}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {name: value for name, value in kept["data"].items() if name != "root"}
    return kept


def _files(model: Path) -> tuple[Path, Path]:
    """Return the weights file and its JSON."""
    if model.is_dir() and not (model / CARD_FILE).is_file():
        raise WeightsError(f"there is no trained model in {model} (no {CARD_FILE}); train one with python -m training")
    if model.is_dir():
        return model / WEIGHTS_FILE, model / CARD_FILE
    return model.with_name(model.name + ".safetensors"), model.with_name(model.name + ".json")


def _write_card(card: ModelCard, path: Path) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n")
    partial.replace(path)
