"""`python -m training ingest`: from words to a dataset, and from errors to an exit status."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from tasks import TaskError, UnknownTaskError
from training.errors import ConfigError, TrainingError
from training.ingest import IngestConfig, Ingested, ingest, report_path, verify
from training.sources import SOURCES
from training.words import only_options

USAGE = f"""usage: python -m training ingest task=… root=FOLDER [source=…] [to=…] [tag=…] [folds=…] [seed=0]
                                 [on_duplicates=report|refuse|drop]
       python -m training ingest task=… [to=…] --verify

writes a published folder as a Deep Lake dataset, build/data/<task>.deeplake, with its split; --verify re-hashes it
sources: {", ".join(SOURCES)}"""
_SHOWN_PAIRS = 20


def run_ingest(words: list[str], console: Console) -> int:
    """Ingest or verify as told; return 0 if done, 1 if it could not be done or rows are damaged, 2 for a wrong call."""
    if not words or {"-h", "--help"} & set(words):
        console.print(USAGE, markup=False)
        return 0 if words else 2
    verifying = "--verify" in words
    try:
        config = only_options([word for word in words if word != "--verify"], IngestConfig)
        return _verify(config, console) if verifying else _ingest(config, console)
    except (TrainingError, TaskError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2 if isinstance(error, ConfigError | UnknownTaskError) else 1
    except OSError as error:
        console.print(
            f"error: the disk refused: {error}; the same call again writes what is missing", style="red", markup=False
        )
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; no dataset is half written, the same call again does what is left")
        return 130


def _ingest(config: IngestConfig, console: Console) -> int:
    with _Steps(console) as steps:
        done = ingest(config, steps.show)
    _print(done, console)
    return 0


def _verify(config: IngestConfig, console: Console) -> int:
    with _Steps(console) as steps:
        damaged = verify(config, steps.show)
    if damaged:
        console.print(f"error: {config.path}: {len(damaged)} damaged: {', '.join(damaged)}", style="red", markup=False)
        console.print("remove the dataset and ingest the data again", markup=False)
        return 1
    console.print(f"{config.path}: every row is as it was written", markup=False)
    return 0


def _print(done: Ingested, console: Console) -> None:
    version, report = done.version, done.version.report
    state = "written" if done.changed else "unchanged"
    console.print(f"{done.path}@{version.tag} {state}: {version.rows} pictures from {version.source}", markup=False)
    for remark in report["left_out"]:
        console.print(remark, markup=False)
    if report["dropped"]:
        console.print(f"dropped as duplicates: {', '.join(report['dropped'])}", markup=False)
    console.print(_folds_table(report["folds"]))
    _print_duplicates(report["duplicates"], console)
    console.print(f"report: {report_path(done.path)}", markup=False)


def _folds_table(folds: list[dict[str, Any]]) -> Table:
    table = Table("fold", "subjects", "pictures")
    for name in folds[0]["classes"]:
        table.add_column(name, overflow="fold")
    for row in folds:
        table.add_row(*(str(row[name]) for name in ("fold", "subjects", "rows")), *map(str, row["classes"].values()))
    return table


def _print_duplicates(pairs: list[dict[str, Any]], console: Console) -> None:
    harmful = [pair for pair in pairs if pair["crosses"] or pair["conflict"]]
    console.print(f"{len(pairs)} pairs of duplicates, {len(harmful)} of them across folds or with different labels")
    if not harmful:
        return
    table = Table("kind", "correlation", "across folds", "labels differ")
    for name in ("first", "second"):
        table.add_column(name, overflow="fold")
    for pair in harmful[:_SHOWN_PAIRS]:
        words = ("yes" if pair[name] else "no" for name in ("crosses", "conflict"))
        table.add_row(pair["kind"], f"{pair['correlation']:.3f}", *words, pair["first"], pair["second"])
    console.print(table)
    if len(harmful) > _SHOWN_PAIRS:
        console.print(f"and {len(harmful) - _SHOWN_PAIRS} more in the report")


class _Steps:
    """A bar for each step, gone when all are done."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Steps":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done)
