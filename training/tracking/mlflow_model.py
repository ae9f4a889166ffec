"""A model folder as MLflow keeps it: a LoggedModel with its data set, a signature of dynamic sizes, and versions."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from tasks import Kind, TaskSpec, get_task
from training.tracking.run import outcome_metrics
from training.weights import ModelCard

CHALLENGER, CHAMPION = "challenger", "champion"
_LOADER = "training.tracking.pyfunc"
_KEPT = ("model.json", "model.safetensors", "history.json", "evaluation.json", "plots", "held_out")


def registered_name(task: str) -> str:
    """Return the name under which a task's models are registered."""
    return f"fovea-{task}"


def signature(task: TaskSpec) -> ModelSignature:
    """Return what a served network takes and answers; batch, height and width are open (-1)."""
    pixels = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3), "pixels")])
    plane = (np.dtype(np.uint8), (-1, -1, -1))
    answers: dict[Kind, list[ColSpec | TensorSpec]] = {
        Kind.BINARY_SEGMENTATION: [TensorSpec(*plane, "probability")],
        Kind.SEMANTIC_SEGMENTATION: [TensorSpec(*plane, "classes"), TensorSpec(*plane, "probability")],
        Kind.CLASSIFICATION: [TensorSpec(np.dtype(np.float32), (-1, task.outputs), "probability")],
    }
    return ModelSignature(pixels, Schema(answers[task.kind]))


def log_model(client: MlflowClient, run_id: str, card: ModelCard, folder: Path, *, register: bool) -> None:
    """Store a model folder with its run; register it as the task's challenger if asked to."""
    run = client.get_run(run_id)
    dataset = _dataset(card)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, "training")])])
    model = client.create_logged_model(
        run.info.experiment_id, name=card.task, source_run_id=run_id, params={"network": str(card.network["name"])}
    )
    with tempfile.TemporaryDirectory() as scratch:
        client.log_model_artifacts(model.model_id, str(_laid_out(card, folder, Path(scratch), model.model_id, run_id)))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    _log_figures(client, run_id, model.model_id, card, dataset)
    if register:
        _register(client, run_id, model.model_id, card)


def _dataset(card: ModelCard) -> Dataset:
    source = {"uri": str(card.config.get("data", {}).get("root", ""))}
    return Dataset(card.task, card.data_digest[:36], "local", json.dumps(source))


def _laid_out(card: ModelCard, folder: Path, scratch: Path, model_id: str, run_id: str) -> Path:
    """Return a folder as MLflow wants it: the file MLmodel and, beside it, the model folder."""
    root = scratch / "model"
    # By name: a model folder may hold other runs, the folds of a cross-validation or the trials of a search.
    (root / "data").mkdir(parents=True)
    for name in _KEPT:
        if (folder / name).is_dir():
            shutil.copytree(folder / name, root / "data" / name)
        elif (folder / name).is_file():
            shutil.copyfile(folder / name, root / "data" / name)
    described = Model(run_id=run_id, model_id=model_id, signature=signature(get_task(card.task)))
    described.add_flavor("python_function", loader_module=_LOADER, data="data", env={})
    described.save(str(root / "MLmodel"))
    return root


def _log_figures(client: MlflowClient, run_id: str, model_id: str, card: ModelCard, dataset: Dataset) -> None:
    now_ms = int(time.time() * 1000)
    for name, value in outcome_metrics(card).items():
        if np.isfinite(value) and not name.endswith(("_lower", "_upper")):
            client.log_metric(
                run_id,
                name,
                value,
                timestamp=now_ms,
                dataset_name=dataset.name,
                dataset_digest=dataset.digest,
                model_id=model_id,
            )


def _register(client: MlflowClient, run_id: str, model_id: str, card: ModelCard) -> None:
    name = registered_name(card.task)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    tags = {"weights_sha256": card.weights_sha256, "data_digest": card.data_digest}
    version = client.create_model_version(name, f"models:/{model_id}", run_id, tags=tags, model_id=model_id)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
