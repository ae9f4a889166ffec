"""Judge a challenger: every condition is asked, so that one refusal tells all that is wrong; latency comes last."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.champion import current, name_of
from pipelines.errors import PipelineError, StageError
from pipelines.judging.answers import Figures, figures_of
from pipelines.judging.frozen import FrozenSet, read_frozen
from pipelines.judging.gates import (
    Gate,
    Margins,
    others_gate,
    parity_gates,
    quality_gate,
    slice_gates,
    unseen_gate,
)
from pipelines.judging.verdict import FILE, Verdict, write_verdict
from pipelines.stages import run_stage
from tasks.checksums import read_checksums

# Its pytorch backend runs the traced network itself: what the others are held to.
REFERENCE_PROFILE = "torchscript"


@dataclass(frozen=True)
class Question:
    """What is judged.

    Attributes:
        challenger: a placed release.
        champion: the link to the champion.
        test_set: a frozen test set.
        out: folder for the verdict and what it rests on.
        profile: serving profile of both.
        model: the challenger's model folder, which says whom it was trained on; None leaves that gate out.
        margins: see there.
        comparison: further words of `python -m loadtests compare`.
        latency: whether it is compared; on a machine that is never quiet it may be left to the load-test gate.
    """

    challenger: Path
    champion: Path
    test_set: Path
    out: Path
    profile: str = "default"
    model: Path | None = None
    margins: Margins = Margins()  # noqa: RUF009 - a frozen value
    comparison: Sequence[str] = field(default_factory=tuple)
    latency: bool = True


def judge(question: Question, console: Console) -> Verdict:
    """Return the verdict, written to `out/verdict.json`; without a champion of the task only parity is asked.

    Raises:
        PipelineError: the test set or a release cannot be used; a gate that is shut is no error.
    """
    frozen = read_frozen(question.test_set)
    champion = current(question.champion)
    challenger = question.challenger.resolve()
    names = name_of(challenger), name_of(champion) if champion else None
    if names[0] == names[1]:
        raise PipelineError(f"the challenger is the champion, release {names[0]}; there is nothing to judge")
    question.out.mkdir(parents=True, exist_ok=True)
    # A judgement that comes to no end must not leave an earlier one behind.
    (question.out / FILE).unlink(missing_ok=True)
    gates = list(_gates(question, frozen, champion, challenger, console))
    asked = question.latency and champion is not None and _serves(champion, frozen)
    # Minutes of load only for what could still be promoted.
    if asked and champion is not None and all(gate.passed for gate in gates):
        gates.append(_latency_gate(question, frozen, champion, challenger, console))
    verdict = Verdict(frozen.task.name, *names, frozen.digest, tuple(gates), question.profile)
    write_verdict(verdict, question.out)
    console.print(_table(verdict))
    return verdict


def _gates(
    question: Question, frozen: FrozenSet, champion: Path | None, challenger: Path, console: Console
) -> Iterator[Gate]:
    if question.model is not None:
        yield unseen_gate(_trained_on(question.model), frozen.subjects)
    if champion is not None:
        yield others_gate(read_checksums(champion), read_checksums(challenger), frozen.task.name)
    served = figures_of(challenger, question.profile, frozen, question.out / "challenger", console)
    figures = {"challenger": served}
    if question.profile != REFERENCE_PROFILE:
        reference = figures_of(challenger, REFERENCE_PROFILE, frozen, question.out / "reference", console)
        figures["reference"] = reference
        yield from parity_gates(reference, served, frozen.slices, question.margins.parity)
    if champion is not None and _serves(champion, frozen):
        figures["champion"] = figures_of(champion, question.profile, frozen, question.out / "champion", console)
        yield quality_gate(figures["champion"], served, frozen.subject_of, question.margins.overall)
        yield from slice_gates(figures["champion"], served, frozen.slices, question.margins.a_slice)
    _save(figures, question.out)


def _latency_gate(question: Question, frozen: FrozenSet, champion: Path, challenger: Path, console: Console) -> Gate:
    out = question.out / "compare"
    sides = ["--a", str(champion), "--b", str(challenger)]
    profiles = ["--profile-a", question.profile, "--profile-b", question.profile]
    words = [*sides, *profiles, "--task", frozen.task.name, "--images", str(frozen.images), "--out", str(out)]
    shutil.rmtree(out, ignore_errors=True)
    try:
        run_stage(console, "latency", "loadtests", ["compare", *words, *question.comparison])
    except StageError as error:
        found = out / "compare.json"
        if not found.exists():
            raise
        return Gate("latency", False, str(json.loads(found.read_text()).get("reason", error)))
    return Gate("latency", True, "not slower than the champion, asked by turns")


def _serves(champion: Path, frozen: FrozenSet) -> bool:
    # The first release with a task has nobody of its own to compare with.
    return (champion / frozen.task.name).is_dir()


def _trained_on(model: Path) -> list[str]:
    try:
        subjects = json.loads((model / "model.json").read_text())["subjects"]
        return [*subjects.get("train", []), *subjects.get("validation", [])]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise PipelineError(f"{model} is not a model folder of `python -m training`: {error}") from error


def _save(figures: dict[str, Figures], out: Path) -> None:
    (out / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def _table(verdict: Verdict) -> Table:
    table = Table(title=f"{verdict.task}: {verdict.challenger} against {verdict.champion or 'nobody'}")
    for heading in ("gate", "", "figures"):
        table.add_column(heading)
    for gate in verdict.gates:
        table.add_row(gate.name, "open" if gate.passed else "[red]shut[/red]", gate.said)
    return table
