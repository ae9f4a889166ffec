"""What several suites share: one small data set, one trained model, one placed release, servers by profile."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A GPU is never needed; a proxy of the environment must not stand between the tests and loopback.
OFFLINE = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
OFFLINE |= {"CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}


def door(*words: str, cwd: Path = ROOT, timeout_s: float = 240.0) -> subprocess.CompletedProcess[str]:
    """Run `python -m <words>` as a user would and return what came of it."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, check=False, cwd=cwd, env=OFFLINE, capture_output=True, text=True, timeout=timeout_s)


@dataclass(frozen=True)
class Stages:
    """Where the stages of the session left their results."""

    data: Path
    model: Path
    work: Path
    repository: Path


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set in the CHASE_DB1 layout: six people, two eyes each."""
    from training.synthetic import write_dataset

    return write_dataset(tmp_path_factory.mktemp("data"), subjects=6, seed=7, size_px=384)


@pytest.fixture(scope="session")
def stages(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Trained for seconds, exported and placed through the front doors."""
    build = tmp_path_factory.mktemp("build")
    result = Stages(synthetic, build / "training", build / "export", build / "model_repository")
    train = door(
        "training",
        f"data.root={synthetic}",
        f"out={result.model}",
        "trainer=smoke",
        "trainer.epochs=4",
        "trainer.crops_per_epoch=128",
        f"tracking.uri=sqlite:///{build}/mlflow.db",
        f"tracking.artifacts={build}/mlartifacts",
    )
    assert train.returncode == 0, train.stdout + train.stderr
    exported = door("export", f"model={result.model}", f"to={result.repository}", f"work={result.work}")
    assert exported.returncode == 0, exported.stdout + exported.stderr
    return result


class Launched:
    """A server started by its front door, and its endpoint."""

    def __init__(self, repository: Path, folder: Path, *words: str) -> None:
        self.log = folder / "triton.log"
        self.endpoint_file = folder / "endpoint.json"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "serving",
                "--repository",
                str(repository),
                "--log",
                str(self.log),
                "--endpoint-file",
                str(self.endpoint_file),
                *words,
            ],
            cwd=ROOT,
            env=OFFLINE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self, timeout_s: float = 120.0) -> "Launched":
        """Return once it is ready."""
        deadline_s = time.monotonic() + timeout_s
        while not self.endpoint_file.exists():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline_s, self.log.read_text()[-2000:]
            time.sleep(0.1)
        self.endpoint = json.loads(self.endpoint_file.read_text())
        return self

    @property
    def grpc(self) -> str:
        return str(self.endpoint["grpc"])

    def output(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def stop(self) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


@pytest.fixture(scope="session", params=["default", "torchscript"])
def served(
    request: pytest.FixtureRequest, stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    """A running server, once for every profile that needs no GPU."""
    server = Launched(stages.repository, tmp_path_factory.mktemp("serving"), "--profile", request.param)
    try:
        yield server.wait()
    finally:
        server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: a mistake shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
