"""The steps of a retraining: what each needs, which files it is made from, and which front door does it.

A step is a command line, so that what runs here, on Kubeflow and by hand is the same. Judging on the frozen test set
comes after the export, not before: what is compared with the champion is what would be served.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.champion import RELEASES, current
from pipelines.retraining.settings import Settings

# The words of `python -m`, door first.
Command = Sequence[str]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: also that of its folder in the retraining's.
        needs: steps whose results it reads, by name.
        commands: given the settings, the retraining's folder and the step's own one, what is run, in turn.
        reads: files and folders beyond those of `needs` and the settings, whose content decides about its result.
        prepare: what is done to its folder before the commands.
        again: whether it is run whenever it is asked for, because it changes what is outside.
    """

    name: str
    needs: tuple[str, ...]
    commands: Callable[[Settings, Path, Path], list[Command]]
    reads: Callable[[Settings], list[Path]] = lambda _: []
    prepare: Callable[[Settings, Path], None] = lambda _, __: None
    again: bool = False


def _ingest(settings: Settings, _: Path, own: Path) -> list[Command]:
    root, to = _word("root", settings.data), _word("to", own / f"{settings.task}.deeplake")
    source = [f"source={settings.source}"] if settings.source else []
    return [["training", "ingest", f"task={settings.task}", root, to, *source, *settings.ingest]]


def _validate(settings: Settings, run: Path, _: Path) -> list[Command]:
    dataset = _word("to", run / "ingest" / f"{settings.task}.deeplake")
    return [["training", "ingest", f"task={settings.task}", dataset, "--verify"]]


def _train(settings: Settings, run: Path, own: Path) -> list[Command]:
    data = _word("data.root", run / "ingest" / f"{settings.task}.deeplake")
    return [["training", f"task={settings.task}", data, _word("out", own / "model"), *settings.training]]


def _evaluate(settings: Settings, run: Path, own: Path) -> list[Command]:
    root = _word("root", run / "ingest" / f"{settings.task}.deeplake")
    words = [f"task={settings.task}", root, _word("model", run / "train" / "model"), _word("out", own)]
    return [["training", "evaluate", *words]]


def _export(settings: Settings, run: Path, own: Path) -> list[Command]:
    model, to, work = run / "train" / "model", own / "model_repository", own / "work"
    words = [_word("model", model), _word("to", to), _word("work", work), f"formats=[{','.join(settings.formats)}]"]
    return [["export", f"task={settings.task}", *words]]


def _keep_other_tasks(settings: Settings, own: Path) -> None:
    """Export adds a task to the release that is there: begin with the champion's."""
    champion = current(settings.champion)
    if champion is not None:
        shutil.copytree(champion, own / RELEASES / champion.name, ignore=shutil.ignore_patterns("__pycache__"))
        (own / "model_repository").symlink_to(Path(RELEASES) / champion.name)


def _assemble(_: Settings, run: Path, __: Path) -> list[Command]:
    return [["export", "verify", str(candidate(run))]]


def _judge(settings: Settings, run: Path, own: Path) -> list[Command]:
    places = ["--challenger", str(candidate(run)), "--champion", str(settings.champion)]
    rest = ["--test-set", str(settings.test_set), "--model", str(run / "train" / "model"), "--out", str(own)]
    more = [f"--comparison={word}" for word in settings.comparison] + ["--no-latency"] * (not settings.latency)
    return [["pipelines", "judge", *places, *rest, "--profile", settings.profile, *more]]


def _gate(settings: Settings, run: Path, own: Path) -> list[Command]:
    images = settings.test_set / "held_out" / "images"
    words = ["--release", str(candidate(run)), "--task", settings.task, "--profile", settings.profile]
    more = [f"--load-test={word}" for word in settings.load_test]
    return [["pipelines", "gate", *words, "--images", str(images), "--out", str(own), *more]]


def _promote(settings: Settings, run: Path, _: Path) -> list[Command]:
    places = ["--challenger", str(candidate(run)), "--champion", str(settings.champion)]
    return [["pipelines", "promote", *places, "--verdict", str(run / "judge" / "verdict.json"), "--why", settings.why]]


def candidate(run: Path) -> Path:
    """Return the release that a retraining made."""
    return run / "export" / "model_repository"


def _test_set(settings: Settings) -> list[Path]:
    return [settings.test_set]


def _champion(settings: Settings) -> list[Path]:
    champion = current(settings.champion)
    return [settings.test_set, *([champion] if champion else [])]


def _other_tasks(settings: Settings) -> list[Path]:
    champion = current(settings.champion)
    own = {settings.task, *(f"{settings.task}_{part}" for part in ("preprocess", "network", "postprocess"))}
    return sorted(path for path in champion.iterdir() if path.is_dir() and path.name not in own) if champion else []


STEPS = (
    Step("ingest", (), _ingest, lambda settings: [settings.data]),
    Step("validate", ("ingest",), _validate),
    Step("train", ("ingest", "validate"), _train),
    Step("evaluate", ("ingest", "train"), _evaluate),
    # The champion's other tasks come along, so the release is made from it too.
    Step("export", ("train",), _export, _other_tasks, _keep_other_tasks),
    Step("assemble", ("export",), _assemble),
    # One after the other, on a cluster too: beside a load test nobody measures latency.
    Step("judge", ("train", "evaluate", "assemble"), _judge, _champion),
    Step("gate", ("assemble", "judge"), _gate, _test_set),
    Step("promote", ("judge", "gate"), _promote, again=True),
)


def _word(key: str, value: object) -> str:
    """Return key='value' in Hydra's grammar: folders have blanks and quotes in their names."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"
