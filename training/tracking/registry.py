"""The task's models by their part in the competition: a challenger that wants to serve, the champion that does."""

import tempfile
from pathlib import Path

from training.errors import ConfigError, TrainingError
from training.tracking.mlflow_client import open_client, prepare, usable
from training.weights import CARD_FILE, ModelCard, load_card

MODELS = Path("build/models")


def fetch(task: str, alias: str, uri: str, to: Path = MODELS) -> Path:
    """Return a local copy of the model folder that carries the alias.

    Args:
        task: name of the task.
        alias: `champion` or `challenger`.
        uri: of the registry, as `tracking.uri`.
        to: where copies are kept, one folder a version; one that is there is not fetched again.

    Raises:
        TrainingError: the registry cannot be used, or no model carries the alias.
    """
    _require_there(uri)
    version = _aliased(task, alias, uri)
    if version is None:
        raise TrainingError(
            f"no registered model of {task} is {alias} at {uri}; train with tracking.register=true"
            + (" and promote it" if alias == "champion" else "")
        )
    return _copy(task, version, uri, to)


def _require_there(uri: str) -> None:
    """Refuse a local registry that is not there: MLflow would make an empty one and then find nothing in it."""
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.is_file():
        raise TrainingError(
            f"there is no registry {path}; train with tracking.register=true, or name another with uri="
        )


def promote(task: str, uri: str, metric: str, *, version: str | None = None, force: bool = False) -> str:
    """Make a version the champion, and return a sentence that says so.

    Args:
        task: name of the task.
        uri: of the registry, as `tracking.uri`.
        metric: held-out figure that decides; more is better.
        version: which one; the challenger if None.
        force: promote even if the figure is worse, or was measured on other data.

    Raises:
        ConfigError: there is no such version, or it is worse than the champion and `force` is not set.
        TrainingError: the registry cannot be used.
    """
    _require_there(uri)
    chosen = version or _aliased(task, "challenger", uri)
    if chosen is None:
        raise ConfigError(f"{task} has no challenger at {uri}; train with tracking.register=true, or give version=")
    card = _card(task, chosen, uri)
    champion = _aliased(task, "champion", uri)
    if champion is not None and champion != chosen and not force:
        _refuse_worse(card, _card(task, champion, uri), metric, chosen, champion)
    from training.tracking.mlflow_model import registered_name  # noqa: PLC0415 - seconds of imports

    with usable(uri):
        open_client(uri).set_registered_model_alias(registered_name(task), "champion", chosen)
    return f"version {chosen} of {task} is the champion, {metric} {card.metrics[metric]:.4f}"


def _refuse_worse(challenger: ModelCard, champion: ModelCard, metric: str, new: str, old: str) -> None:
    ours, theirs = challenger.metrics[metric], champion.metrics[metric]
    if not _same_judges(challenger, champion):
        raise ConfigError(
            f"version {new} and the champion, version {old}, were judged on different pictures; judge both on the "
            "same with python -m training evaluate, and promote with force=true"
        )
    if not ours >= theirs:
        raise ConfigError(
            f"version {new} has {metric} {ours:.4f} and the champion, version {old}, {theirs:.4f}; "
            "promote it nevertheless with force=true"
        )


def _same_judges(one: ModelCard, other: ModelCard) -> bool:
    """Return whether both were judged on the same pictures: of other sets the subjects may have the same names."""
    if one.judged_on and other.judged_on:
        return one.judged_on == other.judged_on
    # A card of before the pictures were kept: equal subjects of equal data are equal pictures.
    return (one.data_digest, one.subjects.get("held_out")) == (other.data_digest, other.subjects.get("held_out"))


def _aliased(task: str, alias: str, uri: str) -> str | None:
    client = open_client(uri)
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - after the environment is settled
    from mlflow.protos.databricks_pb2 import (  # noqa: PLC0415
        INVALID_PARAMETER_VALUE,
        RESOURCE_DOES_NOT_EXIST,
        ErrorCode,
    )

    from training.tracking.mlflow_model import registered_name  # noqa: PLC0415

    unknown = {ErrorCode.Name(code) for code in (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)}
    with usable(uri):
        try:
            return str(client.get_model_version_by_alias(registered_name(task), alias).version)
        except MlflowException as error:
            if error.error_code in unknown:
                return None
            raise


def _card(task: str, version: str, uri: str) -> ModelCard:
    return load_card(_copy(task, version, uri, MODELS))


def _copy(task: str, version: str, uri: str, to: Path) -> Path:
    prepare(uri)
    import mlflow.artifacts  # noqa: PLC0415 - after the environment is settled

    from training.tracking.mlflow_model import registered_name  # noqa: PLC0415

    client = open_client(uri)
    with usable(uri):
        described = client.get_model_version(registered_name(task), version)
        folder = to / f"{task}-{version}-{described.tags.get('weights_sha256', '')[:12]}"
        if not (folder / "data" / CARD_FILE).is_file():
            # The name's own address would be looked up wherever this process last talked to.
            model_id = str(described.source).removeprefix("models:/")
            source = client.get_logged_model(model_id).artifact_location
            to.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=to) as scratch:
                # Renamed when it is whole: an interrupted download must not pass for a model.
                Path(mlflow.artifacts.download_artifacts(source, dst_path=scratch, tracking_uri=uri)).rename(folder)
    return folder / "data"
