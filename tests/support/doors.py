"""The front doors as tests use them: run one to its end, or launch a server and stop it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A GPU is never needed; a proxy of the environment must not stand between the tests and loopback.
OFFLINE = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
OFFLINE |= {"CUDA_VISIBLE_DEVICES": ""}


def door(*words: str, cwd: Path = ROOT, timeout_s: float = 500.0) -> subprocess.CompletedProcess[str]:
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


@dataclass(frozen=True)
class Release:
    """A release with every task, and the model folder that each was exported from."""

    repository: Path
    models: dict[str, Path]


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
