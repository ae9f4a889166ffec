"""A retraining from its trigger to its decision record."""

import argparse
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from pipelines.champion import current
from pipelines.errors import PipelineError, RefusedError
from pipelines.retraining.decisions import Decision, DecisionFile, now
from pipelines.retraining.records import digest_of
from pipelines.retraining.run import REFUSED, run_all
from pipelines.retraining.settings import Settings, parse_settings, write_settings
from pipelines.retraining.triggers import Reason, of_drift, of_labels, of_schedule

# Digest of the labelled data of the last retraining that ran to a decision.
LAST_DATA = "last-data.sha256"


@dataclass(frozen=True)
class Call:
    """What asks for a retraining.

    Attributes:
        trigger: one of `triggers.TRIGGERS`.
        drift_report: of the trigger drift.
        every: of the trigger schedule.
        kubeflow: whether Kubeflow's local runner runs the steps.
    """

    trigger: str = "asked"
    drift_report: Path | None = None
    every: timedelta = timedelta(days=30)
    kubeflow: bool = False


def retrain(settings: Settings, run: Path, call: Call, console: Console) -> Decision:
    """Retrain if there is a reason to, and return the decision, which is recorded whatever happens.

    Raises:
        RefusedError: the challenger is not promoted; recorded.
        PipelineError: a step failed; recorded.
    """
    reason = _reason(settings, run, call)
    considered = Decision(now(), settings.task, call.trigger, reason.said, "running", run=str(run))
    file = DecisionFile(settings.champion.parent, considered)
    if not reason.wanted:
        console.print(f"not needed: {reason.said}")
        return file.close("not needed", reason.said, _champion(settings))
    console.print(f"retraining: {reason.said}")
    before = _champion(settings)
    try:
        # Before the run: what arrives meanwhile is news to the next one.
        data = digest_of(settings.data)
        write_settings(settings.model_copy(update={"why": f"{call.trigger}: {reason.said}"}), run)
        _run(run, call, console)
    except RefusedError as error:
        (run / LAST_DATA).write_text(data + "\n")
        file.close("refused", _refusal(run, error), _champion(settings))
        raise
    except PipelineError as error:
        file.close("failed", str(error), _champion(settings))
        raise
    except BaseException:
        file.close("stopped", "it was stopped; called again it goes on where it was", _champion(settings))
        raise
    (run / LAST_DATA).write_text(data + "\n")
    if _champion(settings) == before:
        return file.close("unchanged", "the release made of this is the champion already", before)
    return file.close("promoted", "every gate is open", _champion(settings))


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of a call.

    Raises:
        PipelineError: no data or test set is named, or the file of settings is not right.
    """
    if options.settings is not None:
        return _absolute(parse_settings(options.settings, "correct it"))
    if options.data is None or options.test_set is None:
        raise PipelineError("retrain needs --data and --test-set, or --settings")
    words = {name: tuple(getattr(options, name)) for name in ("training", "ingest", "load_test", "comparison")}
    places = {name: getattr(options, name) for name in ("data", "test_set", "champion")}
    asked = {"task": options.task, "profile": options.profile, "latency": not options.no_latency}
    return _absolute(Settings(**asked, **places, **words))


def _absolute(settings: Settings) -> Settings:
    """Steps may run in another folder. The champion stays the link that it is."""
    places = {name: getattr(settings, name).absolute() for name in ("data", "test_set", "champion")}
    return settings.model_copy(update=places)


def _reason(settings: Settings, run: Path, call: Call) -> Reason:
    match call.trigger:
        case "drift":
            if call.drift_report is None:
                raise PipelineError("the trigger drift needs --drift-report, a drift.json")
            return of_drift(call.drift_report, settings.task, _champion(settings))
        case "labels":
            return of_labels(settings.data, run / LAST_DATA)
        case "schedule":
            return of_schedule(settings.champion, call.every)
    return Reason(True, "somebody asked")


def _run(run: Path, call: Call, console: Console) -> None:
    if not call.kubeflow:
        run_all(run, console)
        return
    from pipelines.retraining.kubeflow import run_here  # noqa: PLC0415 - only who asks for it waits for it

    run_here(run)


def _refusal(run: Path, error: RefusedError) -> str:
    from pipelines.judging.verdict import FILE, read_verdict  # noqa: PLC0415 - as in _run

    step = (run / REFUSED).read_text() if (run / REFUSED).exists() else ""
    if step == "judge" and (run / step / FILE).exists():
        return read_verdict(run / step / FILE).why
    return f"{error}; see {run / step}" if step else str(error)


def _champion(settings: Settings) -> str | None:
    champion = current(settings.champion)
    return champion.name if champion else None
