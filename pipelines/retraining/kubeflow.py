"""The same steps as a Kubeflow pipeline: one task a step, the arrows from `STEPS`, the work done by `pipelines step`.

All tasks share one volume, where a step finds what earlier ones left: the records there decide what is run again,
here and on a cluster alike, so Kubeflow's own cache is left off.
"""

from dataclasses import dataclass
from pathlib import Path

from kfp import compiler, dsl, kubernetes, local

from pipelines.errors import RefusedError, StageError
from pipelines.retraining.run import REFUSED
from pipelines.retraining.steps import STEPS


@dataclass(frozen=True)
class Cluster:
    """Where the compiled pipeline runs: the image of every step, and the volume claim that they share."""

    image: str = "fovea-training:latest"
    volume: str = "fovea"
    mount: str = "/fovea"


def compile_pipeline(to: Path, cluster: Cluster) -> None:
    """Write the pipeline as Kubeflow's YAML. Its parameter `run` is the retraining's folder on the volume."""
    to.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(_pipeline(cluster), package_path=str(to))


def run_here(run: Path) -> None:
    """Run the pipeline by Kubeflow's local runner, one process a step.

    Raises:
        RefusedError: the challenger was refused.
        StageError: a step failed; the log above says why.
    """
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(run / "kubeflow"))
    try:
        _pipeline(None)(run=str(run.resolve()))
    except RuntimeError as error:
        if (run / REFUSED).exists():
            raise RefusedError("the challenger was refused; the champion stays") from error
        raise StageError(f"the pipeline failed: {error}") from error


def _pipeline(cluster: Cluster | None):  # type: ignore[no-untyped-def] # kfp's decorator has no types
    step = dsl.component(_step, base_image=cluster.image if cluster else None, install_kfp_package=False)

    @dsl.pipeline(  # type: ignore[untyped-decorator]
        name="fovea-retrain", description="new data to a judged and promoted release"
    )
    def retrain(run: str) -> None:
        tasks: dict[str, dsl.PipelineTask] = {}
        for each in STEPS:
            task = step(name=each.name, run=run).after(*(tasks[name] for name in each.needs))
            task.set_display_name(each.name).set_caching_options(False)
            if cluster is not None:
                kubernetes.mount_pvc(task, pvc_name=cluster.volume, mount_path=cluster.mount)
            tasks[each.name] = task

    return retrain


def _step(name: str, run: str) -> None:
    # Kubeflow copies this function's text into its YAML: everything that it uses it imports itself.
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    subprocess.run([sys.executable, "-m", "pipelines", "step", name, "--run", run], check=True)
