"""Which recorder a configuration asks for."""

from dataclasses import asdict

from training.config import TrainingConfig
from training.quiet import ask_nobody
from training.revision import TOOLS, code_revision, tool_versions
from training.tracking.run import NoRun, Run


def start_run(
    config: TrainingConfig, name: str, *, data_digest: str = "", parent_id: str = "", run_id: str = ""
) -> Run:
    """Return a new run; its parameters, seed, data, code and libraries are recorded.

    Args:
        config: of the training; its `tracking` decides who records.
        name: of the run.
        data_digest: of what it learns from.
        parent_id: of the run that this one is a part of.
        run_id: of an earlier run that is continued; a new one starts where that is not known.

    Raises:
        TrainingError: the recorder is not installed, or its database or server cannot be used.
    """
    run = _open(config, name, parent_id, run_id)
    run.log_params(asdict(config))
    run.log_tags(_origin(config, data_digest))
    return run


def _origin(config: TrainingConfig, data_digest: str) -> dict[str, str]:
    """Return what makes a run repeatable, also one that fails."""
    versions = {f"version/{name}": version for name, version in tool_versions(*TOOLS).items()}
    made = {"task": config.task, "seed": str(config.seed), "code_revision": code_revision()}
    return made | versions | ({"data_digest": data_digest} if data_digest else {})


def _open(config: TrainingConfig, name: str, parent_id: str, run_id: str) -> Run:
    # A run without tracking, or with another recorder, must not wait for imports that it does not need.
    if config.tracking.name == "mlflow":
        ask_nobody()
        from training.tracking.mlflow_run import MlflowRun  # noqa: PLC0415

        return MlflowRun(config.tracking, name, parent_id=parent_id, run_id=run_id)
    if config.tracking.name == "wandb":
        from training.tracking.wandb_run import WandbRun  # noqa: PLC0415

        return WandbRun(config.tracking, name, parent_id=parent_id, run_id=run_id)
    return NoRun()
