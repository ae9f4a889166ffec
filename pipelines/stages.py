"""Stages as what they are: programs with a front door. A stage that fails has said why; the pipeline stops there."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from pipelines.errors import StageError

_STOP_TIMEOUT_S = 45.0


def run_stage(console: Console, title: str, door: str, words: Sequence[str]) -> float:
    """Run `python -m <door> <words>` to its end and return the seconds it took.

    Raises:
        StageError: it ended with another status than 0.
    """
    console.rule(f"[bold]{title}[/bold]  python -m {door}", align="left")
    started_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", door, *words])
    try:
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    elapsed_s = time.monotonic() - started_s
    if status:
        said = f"stage {title} failed: python -m {door} {' '.join(words)} ended with status {status}"
        raise StageError(said, status)
    console.print(f"[dim]{title} took {elapsed_s:.0f} s[/dim]")
    return elapsed_s


@contextmanager
def served(console: Console, repository: Path, folder: Path, profile: str = "default") -> Iterator[str]:
    """Serve a release as `profile` while the block runs; yields the gRPC address.

    Raises:
        StageError: the server ended before it was ready.
    """
    console.rule("[bold]serve[/bold]  python -m serving", align="left")
    endpoint_file = folder / "endpoint.json"
    endpoint_file.unlink(missing_ok=True)
    words = [
        "--repository",
        str(repository),
        "--profile",
        profile,
        "--endpoint-file",
        str(endpoint_file),
        "--log",
        str(folder / "triton.log"),
    ]
    process = subprocess.Popen([sys.executable, "-m", "serving", *words])
    try:
        while not endpoint_file.exists():
            if process.poll() is not None:
                raise StageError(f"stage serve failed: python -m serving ended with status {process.returncode}")
            time.sleep(0.1)
        yield str(json.loads(endpoint_file.read_text())["grpc"])
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, give it time to clean up, and only then insist."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
