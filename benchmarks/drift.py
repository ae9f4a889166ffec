"""Does `python -m monitoring drift` alarm when it should, and only then? `python -m benchmarks.drift`.

Pictures are split at random into a reference and a window, again and again, and judged as the command judges them: as
they are (every alarm is false), and with a shift planted into the window (every alarm is right). Prints both rates;
its last line is the verdict, its exit status 1 if a bar is missed. docs/explanation/drift.md tells what is seen.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

from monitoring.errors import MonitoringError
from monitoring.judgement import Rule, judge
from monitoring.network import Network
from monitoring.pictures import Figures, Progress, figures_of, find_pictures, shown, stacked
from monitoring.selection import drawn
from tasks import Kind, TaskSpec, get_task
from tasks.errors import ImageError
from tasks.imaging import decode
from tasks.processing import prepare

Picture = npt.NDArray[np.uint8]
MOST_FALSE, LEAST_POWER = 0.05, 0.90
DATA = {"eye_disease": "eye_diseases", "vessels": "chase_db1", "dubai_aerial": "dubai_aerial"}
# How much more of the window than of the reference belongs to one class.
SHARE_RISE = 0.25
NULL, CLASS_SHARE = "no drift", f"class share +{SHARE_RISE:.0%}"
_LABEL_FOLDERS = frozenset({"1st_manual", "mask", "masks"})


def _same(picture: Picture) -> Picture:
    return picture


def _brighter(picture: Picture) -> Picture:
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1.15), np.uint8)


def _blurred(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)


def _tinted(picture: Picture) -> Picture:
    return np.asarray(np.clip(picture * np.array([1.10, 1.0, 0.90]), 0, 255), np.uint8)


SHIFTS: Mapping[str, Callable[[Picture], Picture]] = {
    "brightness +15 %": _brighter,
    "blur, sigma 2 px": _blurred,
    "colour cast, red +10 % blue -10 %": _tinted,
}


@dataclass(frozen=True)
class Sizes:
    """Pictures of the reference and of the window, how many splits are judged, and draws of each judgement."""

    reference: int
    window: int
    nulls: int
    planted: int
    draws: int


@dataclass(frozen=True)
class Rate:
    """How often what was planted alarmed, and which statistics did it, the most frequent first."""

    planted: str
    alarms: int
    splits: int
    by: str

    @property
    def share(self) -> float:
        """Return alarms over splits."""
        return self.alarms / self.splits

    @property
    def kept(self) -> bool:
        """Return whether the bar is kept: few alarms where nothing was planted, many elsewhere."""
        return self.share <= MOST_FALSE if self.planted == NULL else self.share >= LEAST_POWER


def tables(files: list[Path], network: Network, console: Console) -> dict[str, Figures]:
    """Return the figures of the pictures as they are, by NULL, and under each shift of a picture."""
    ways: dict[str, Callable[[Picture], Picture]] = {NULL: _same, **SHIFTS}
    rows: dict[str, list[Figures]] = {name: [] for name in ways}
    progress: Progress[Path] = shown(console)
    for file in progress(files, f"measuring {network.task.name} pictures, {len(rows)} ways"):
        picture = _read(file, network.task)
        for name, shift in ways.items():
            fitted = prepare(shift(picture), network.task)
            rows[name].append(figures_of(fitted, network.answer(fitted.pixels), network.task))
    return {name: stacked(each) for name, each in rows.items()}


def _read(file: Path, task: TaskSpec) -> Picture:
    try:
        return decode(file.read_bytes(), task.limits)
    except (ImageError, OSError) as error:
        raise MonitoringError(f"{file} cannot be read ({error}): take it out of the folder.") from None


def measure_rates(found: Mapping[str, Figures], task: TaskSpec, sizes: Sizes, console: Console) -> list[Rate]:
    """Return the rate of alarms with nothing planted and with each shift."""
    member = _members(found[NULL], task)
    planted = {NULL: sizes.nulls} | dict.fromkeys((*SHIFTS, CLASS_SHARE), sizes.planted)
    return [
        _rate(name, found.get(name, found[NULL]), found[NULL], member, task, sizes, splits, console)
        for name, splits in planted.items()
    ]


def _rate(
    name: str,
    shifted: Figures,
    clean: Figures,
    member: npt.NDArray[np.bool_],
    task: TaskSpec,
    sizes: Sizes,
    splits: int,
    console: Console,
) -> Rate:
    alarms, by = 0, dict[str, int]()
    for seed in track(range(splits), name, console=console, transient=True, disable=not console.is_terminal):
        generator = np.random.default_rng((len(name), seed))
        reference, window = _split(generator, member, sizes, SHARE_RISE if name == CLASS_SHARE else 0.0)
        rule = Rule(draws=sizes.draws, seed=seed)
        alarming = [each for each in judge(clean.rows(reference), shifted.rows(window), task, rule) if each.alarm]
        alarms += bool(alarming)
        for statistic in {each.statistic for each in alarming}:
            by[statistic] = by.get(statistic, 0) + 1
    frequent = sorted(by.items(), key=lambda item: -item[1])[:4]
    return Rate(name, alarms, splits, ", ".join(f"{statistic} {count}" for statistic, count in frequent))


def _split(
    generator: np.random.Generator, member: npt.NDArray[np.bool_], sizes: Sizes, rise: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return pictures of a reference and others of a window, in which the members' share is higher by `rise`."""
    order = generator.permutation(len(member))
    reference, rest = order[: sizes.reference], order[sizes.reference :]
    if not rise:
        return reference, rest[: sizes.window]
    share = min(member[reference].mean() + rise, 1.0)
    wanted = min(round(share * sizes.window), int(member[rest].sum()))
    return reference, np.concatenate([rest[member[rest]][:wanted], rest[~member[rest]][: sizes.window - wanted]])


def _members(figures: Figures, task: TaskSpec) -> npt.NDArray[np.bool_]:
    """Return which pictures are of the commonest class, or have more than the median share of a segmentation's."""
    if task.kind is Kind.CLASSIFICATION:
        return np.asarray(figures.label == np.bincount(figures.label).argmax())
    share = figures.prediction[:, -1] if task.kind is Kind.BINARY_SEGMENTATION else _largest_share(figures)
    return np.asarray(share > np.median(share))


def _largest_share(figures: Figures) -> npt.NDArray[np.float64]:
    shares = figures.prediction[:, 2:]  # after confidence and entropy
    return np.asarray(shares[:, shares.mean(axis=0).argmax()])


def _pictures(options: argparse.Namespace) -> Path:
    """Return the folder of `--images`, of the public set, or of pictures that are drawn now."""
    if options.images:
        return Path(options.images)
    real = Path("data") / DATA.get(str(options.task), str(options.task))
    folder = Path("build/data") / f"drift-{options.task}"
    if real.is_dir():
        return real
    if not folder.is_dir():
        _door("training", "synthesise", "--task", options.task, "--root", str(folder), "--subjects", "200")
    return folder


def _release(options: argparse.Namespace, pictures: Path) -> Path:
    """Return `--release`, or the shipped network of the task placed for this benchmark."""
    release = Path(options.release)
    if (release / f"{options.task}_network").is_dir():
        return release
    own = Path("build/drift-benchmark/model_repository")
    if not (own / f"{options.task}_network").is_dir():
        words = (f"task={options.task}", f"model=weights/{options.task}", f"pictures={pictures}", "formats=[onnx]")
        _door("export", *words, "images=2", f"to={own}", "work=build/drift-benchmark/export")
    return own


def _door(stage: str, *words: str) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", stage, *words], check=False, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-1:]
        raise MonitoringError(f"`python -m {stage} {' '.join(words)}` failed: {' '.join(last)}")


def _print(console: Console, rates: list[Rate], sizes: Sizes) -> None:
    title = f"reference of {sizes.reference}, window of {sizes.window} pictures, {sizes.draws} draws"
    table = Table(title=title, title_justify="left")
    for column in ("planted", "alarms", "rate", "bar", "statistics that alarmed"):
        table.add_column(column)
    for rate in rates:
        bar = f"at most {MOST_FALSE:.0%}" if rate.planted == NULL else f"at least {LEAST_POWER:.0%}"
        table.add_row(rate.planted, f"{rate.alarms} of {rate.splits}", f"{rate.share:.1%}", bar, rate.by)
    console.print(table)


def _run(options: argparse.Namespace, console: Console) -> int:
    task = get_task(options.task)
    folder = _pictures(options)
    network = Network(_release(options, folder), task)
    found = [file for file in find_pictures(folder) if file.parent.name not in _LABEL_FOLDERS]
    files = drawn(found, options.pictures, 0)
    if len(files) < 2 * options.window + 20:
        raise MonitoringError(f"{folder} has {len(files)} pictures, too few for windows of {options.window}.")
    sizes = Sizes(len(files) // 2, options.window, options.nulls, options.planted, options.draws)
    rates = measure_rates(tables(files, network, console), task, sizes, console)
    _print(console, rates, sizes)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    saved = {
        "task": task.name,
        "pictures": len(files),
        "sizes": asdict(sizes),
        "rates": [asdict(each) for each in rates],
    }
    options.out.write_text(json.dumps(saved, indent=2) + "\n")
    missed = [rate.planted for rate in rates if not rate.kept]
    false = next(rate for rate in rates if rate.planted == NULL)
    weakest = min((rate for rate in rates if rate.planted != NULL), key=lambda rate: rate.share)
    figures = f"{false.share:.1%} false alarms, power {weakest.share:.0%} or more"
    console.print(f"missed: {', '.join(missed)} ({figures})" if missed else f"passed: {figures}")
    return int(bool(missed))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 0, 1 if a bar is missed, 2 if nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drift", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--task", default="eye_disease")
    parser.add_argument("--images", type=Path, help="folder of pictures; data/ or drawn ones if not given")
    parser.add_argument("--release", type=Path, default=Path("build/model_repository"), help="or the shipped weights")
    parser.add_argument("--pictures", type=int, default=1000, help="at most so many; half of them are the reference")
    parser.add_argument("--window", type=int, default=300)
    parser.add_argument("--nulls", type=int, default=200, help="splits with nothing planted")
    parser.add_argument("--planted", type=int, default=50, help="splits with each shift")
    parser.add_argument("--draws", type=int, default=1000, help="splits under no drift, of each judgement")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/drift.json"))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    try:
        return _run(options, console)
    except MonitoringError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
