"""MLflow's client, opened with everything switched off that a training run has no use for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TrainingError
from training.quiet import ask_nobody

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"


def prepare(uri: str) -> None:
    """Settle what MLflow reads from the environment, and make a local database's folder.

    Raises:
        TrainingError: the folder cannot be made.
    """
    ask_nobody()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # MLflow's own patience with a server that is not there is many minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    if uri.startswith(_SQLITE):
        folder = Path(uri.removeprefix(_SQLITE)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(_unusable(uri, error)) from error


def open_client(uri: str) -> "MlflowClient":
    """Return a client of a tracking database or server, which also holds the registry.

    Raises:
        TrainingError: it cannot be used.
    """
    prepare(uri)
    from mlflow import MlflowClient  # noqa: PLC0415 - it reads the environment that was just settled

    with usable(uri):
        client = MlflowClient(uri, uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def usable(uri: str) -> Iterator[None]:
    """Turn what MLflow raises over a database or server into one sentence.

    Raises:
        TrainingError: it cannot be used.
    """
    try:
        yield
    except failures() as error:
        raise TrainingError(_unusable(uri, error)) from error


def failures() -> tuple[type[Exception], ...]:
    """Return what a client raises when its database or server fails."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see `open_client`
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    return (MlflowException, SQLAlchemyError, OSError)  # what requests raises is an OSError


def _unusable(uri: str, error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return (
        f"MLflow at {uri} cannot be used ({said.splitlines()[0][:160]}); correct tracking.uri, or record nothing "
        "with tracking=none"
    )
