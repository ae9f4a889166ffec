"""A trained model on disk: weights as safetensors (loading them runs no code) and one JSON that says what they are."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from tasks.checksums import sha256_of
from training.errors import WeightsError
from training.networks import build_network

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says of itself.

    Attributes:
        task: name of the TaskSpec.
        network, widths: what `build_network` takes.
        weights_sha256: of the weights file.
        data_digest: `training.sources.data_digest` of all samples.
        subjects: of each group of the split.
        metrics: pooled over the held-out pictures.
        mlflow_run: id of the run that made it.
        code_revision, versions: what made it.
        config: the run's whole configuration.
    """

    task: str
    network: str
    widths: list[int]
    weights_sha256: str
    data_digest: str
    subjects: dict[str, list[str]]
    metrics: dict[str, float]
    mlflow_run: str
    code_revision: str
    versions: dict[str, str]
    config: dict[str, Any]


def save_weights(network: nn.Module, folder: Path) -> str:
    """Write the weights and return their SHA-256."""
    path = folder / WEIGHTS_FILE
    partial = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, partial)
    partial.replace(path)
    return sha256_of(path)


def save_card(card: ModelCard, folder: Path) -> None:
    """Write the JSON beside the weights; last, because a folder with it counts as complete."""
    partial = folder / (CARD_FILE + ".partial")
    partial.write_text(json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n")
    partial.replace(folder / CARD_FILE)


def load_card(folder: Path) -> ModelCard:
    """Return what the model folder says of itself.

    Raises:
        WeightsError: no such folder, or its JSON is not a model card.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        raise WeightsError(f"there is no trained model in {folder} (no {CARD_FILE}); train one with python -m training")
    try:
        return ModelCard(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} is not a model card: {error}") from error


def load_network(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Return the trained network in evaluation mode, and its card.

    Raises:
        WeightsError: missing, changed since training, or not fitting the network that the card names.
    """
    card = load_card(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file() or sha256_of(path) != card.weights_sha256:
        raise WeightsError(f"{path} is missing or not the file that {CARD_FILE} describes; train again")
    network = build_network(card.network, 1, card.widths)
    try:
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{path} does not fit the network {card.network!r}: {error}") from error
    return network.eval(), card
