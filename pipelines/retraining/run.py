"""Run the steps of a retraining here, in their order; what is done already is not done again."""

import shutil
import time
from pathlib import Path

from rich.console import Console

from pipelines.champion import current, name_of
from pipelines.errors import PipelineError, RefusedError, StageError
from pipelines.retraining.records import Record, digest_of, key_of, read_record, write_record
from pipelines.retraining.settings import Settings, read_settings
from pipelines.retraining.steps import STEPS, Step, candidate
from pipelines.stages import run_stage

# Left in a retraining's folder by a step that refused, for those who see only that it failed.
REFUSED = "refused"


def run_all(run: Path, console: Console) -> None:
    """Run every step of the retraining in a folder that has something new to work on.

    Raises:
        RefusedError: the challenger is not to be promoted; the champion stays.
        PipelineError: a step failed; those before it keep their results.
    """
    for step in STEPS:
        run_step(step.name, run, console)


def _serves_already(run: Path) -> bool:
    champion = current(read_settings(run).champion)
    return champion is not None and name_of(candidate(run)) == champion.name


def run_step(name: str, run: Path, console: Console) -> bool:
    """Run one step unless its result is there already, and return whether it was run.

    Raises:
        RefusedError, PipelineError: see `run_all`; an unknown name, or a step that needs one that was not done.
    """
    step = _step(name)
    settings = read_settings(run)
    own = run / name
    (run / REFUSED).unlink(missing_ok=True)
    if "assemble" in _all_needs(step) and _serves_already(run):
        console.print(f"[dim]{name}: the release made of this is the champion already[/dim]")
        return False
    commands = step.commands(settings, run, own)
    key = key_of(step, settings, run, commands)
    if not step.again and _is_done(run, name, key):
        console.print(f"[dim]{name}: nothing new to work on; its result is kept[/dim]")
        return False
    _forget(run, name)
    started_s = time.monotonic()
    _run(step, settings, own, console)
    write_record(run, name, Record(key, digest_of(own), round(time.monotonic() - started_s, 1)))
    return True


def _run(step: Step, settings: Settings, own: Path, console: Console) -> None:
    own.mkdir(parents=True)
    step.prepare(settings, own)
    for door, *words in step.commands(settings, own.parent, own):
        try:
            run_stage(console, step.name, door, words)
        except StageError as error:
            if error.status == RefusedError.STATUS:
                (own.parent / REFUSED).write_text(step.name)
                raise RefusedError(f"step {step.name} refused the challenger; the champion stays") from error
            raise


def _is_done(run: Path, name: str, key: str) -> bool:
    record = read_record(run, name)
    own = run / name
    return record is not None and record.key == key and own.is_dir() and digest_of(own) == record.digest


def _forget(run: Path, name: str) -> None:
    """Remove the record first: half a result must not pass for one."""
    (run / f"{name}.json").unlink(missing_ok=True)
    shutil.rmtree(run / name, ignore_errors=True)


def _all_needs(step: Step) -> set[str]:
    return set(step.needs) | {name for need in step.needs for name in _all_needs(_step(need))}


def _step(name: str) -> Step:
    for step in STEPS:
        if step.name == name:
            return step
    raise PipelineError(f"there is no step {name!r}; they are {', '.join(step.name for step in STEPS)}")
