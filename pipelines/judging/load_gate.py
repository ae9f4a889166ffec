"""The load-test gate: the candidate served here and held to its objectives before anybody else serves it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipelines.errors import RefusedError, StageError
from pipelines.stages import run_stage, served

_MISSED = 1


def hold_to_objectives(
    release: Path, task: str, profile: str, images: Path, out: Path, words: Sequence[str], console: Console
) -> None:
    """Serve the release and load-test it; the report is in `out`.

    Args:
        release: a placed release.
        task, profile: of it, what is asked and how it is served.
        images: folder of encoded pictures.
        out: folder for reports.
        words: more of `python -m loadtests run`.
        console: for what happens.

    Raises:
        RefusedError: an objective was missed.
        StageError: the server did not start, or the run was not valid.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "loadtest" / "summary.json").unlink(missing_ok=True)
    with served(console, release, out, profile) as url:
        asked = ["run", "--url", url, "--task", task, "--profile", profile, "--images", str(images)]
        try:
            run_stage(console, "load test", "loadtests", [*asked, "--out", str(out / "loadtest"), *words])
        except StageError as error:
            if error.status == _MISSED and (out / "loadtest" / "summary.json").exists():
                raise RefusedError(f"the release misses its objectives; see {out / 'loadtest'}") from error
            raise
