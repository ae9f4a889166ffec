"""What do the server's own figures of pictures cost: `python -m benchmarks.metrics --repository <placed release>`.

One server serves the task three times, with one network between them: with figures, without, and without again.
They are asked by turns; the two that are equal show what this machine's noise makes of nothing. The last line is the
verdict.
"""

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fovea_client import Client
from rich.console import Console

from benchmarks.client import alternate, assemble, machine, photograph
from benchmarks.contenders import TIMEOUT_S, Contender
from serving.errors import ServingError
from serving.server import Options, Server
from tasks.checksums import write_checksums

ON, OFF, OFF_AGAIN = "with figures", "without", "without, again"
BAR = 0.02
_PARAMETER = 'parameters { key: "metrics" value { string_value: "on" } }'
_RESAMPLES = 1000

Times = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Cost:
    """What requests take beyond the mean of the two without figures, asked in the same rounds.

    Attributes:
        name: of the way.
        p50_ms: of its requests.
        beyond_ms: median over the rounds of its time minus theirs.
        share: `beyond_ms` of the p50 without figures.
        interval: where 95 % of resampled rounds put `share`.
    """

    name: str
    p50_ms: float
    beyond_ms: float
    share: float
    interval: tuple[float, float]


def cost(name: str, times_us: Times) -> Cost:
    """Return what `name` costs; of the second without figures, beside the first alone."""
    without = times_us[OFF] if name == OFF_AGAIN else (times_us[OFF] + times_us[OFF_AGAIN]) / 2
    beyond_us, base_us = times_us[name] - without, float(np.median(times_us[OFF]))
    picked = np.random.default_rng(0).integers(0, len(beyond_us), (_RESAMPLES, len(beyond_us)))
    low, high = np.percentile(np.median(beyond_us[picked], axis=1) / base_us, (2.5, 97.5))
    median_us = float(np.median(beyond_us))
    return Cost(
        name, float(np.median(times_us[name])) / 1e3, median_us / 1e3, median_us / base_us, (float(low), float(high))
    )


def add_silent(release: Path, task: str, name: str) -> None:
    """Add the task once more to a release, as `name`: the same network, and its own steps without figures.

    Raises:
        ServingError: the steps publish none, so there is nothing to compare.
    """
    for part in ("", "_preprocess", "_postprocess"):
        folder = release / f"{name}{part}"
        shutil.copytree(release / f"{task}{part}", folder)
        config = folder / "config.pbtxt"
        text = config.read_text()
        if part and _PARAMETER not in text:
            raise ServingError(f"{task}{part} publishes no figures; place the release again with `python -m export`")
        for each in ("", "_preprocess", "_postprocess"):
            text = re.sub(rf'(name: )"{task}{each}"$', rf'\1"{name}{each}"', text, flags=re.MULTILINE)
        config.write_text(text.replace(_PARAMETER, _PARAMETER.replace('"on"', '"off"')))


def measure(options: argparse.Namespace, console: Console) -> Times:
    """Serve the three and return microseconds by name, one a round."""
    picture = photograph(options.task).image or b""
    names = {ON: options.task, OFF: f"{options.task}_silent", OFF_AGAIN: f"{options.task}_silent_again"}
    with tempfile.TemporaryDirectory(prefix="fovea-benchmark-") as folder:
        release = assemble(options.repository, options.task, Path(folder) / "release")
        for name in (names[OFF], names[OFF_AGAIN]):
            add_silent(release, options.task, name)
        write_checksums(release)
        server = Server(Options(release, profile=options.profile, log=Path(folder) / "triton.log"))
        with server, console.status("measuring"), Client(server.start().grpc, timeout_s=TIMEOUT_S) as client:
            ways = [Contender(key, partial(client.segment, picture, task=name)) for key, name in names.items()]
            return asyncio.run(alternate(ways, options.rounds))


def report(times_us: Times, console: Console) -> dict[str, object]:
    """Print the figures and the verdict; return what is saved."""
    rows = [cost(OFF_AGAIN, times_us), cost(ON, times_us)]
    console.print(f"{len(times_us[OFF])} rounds; {OFF}: p50 {np.median(times_us[OFF]) / 1e3:.1f} ms")
    for row in rows:
        low, high = row.interval
        console.print(
            f"{row.name}: p50 {row.p50_ms:.1f} ms, {row.beyond_ms:+.2f} ms a request = {row.share:+.2%} "
            f"(95 % of resamples {low:+.2%} to {high:+.2%})"
        )
    found = machine()
    console.print("measured on", ", ".join(f"{key} {value}" for key, value in found.items()))
    met = rows[1].share <= BAR
    console.print(f"{'met   ' if met else 'MISSED'}  figures cost ≤ {BAR:.0%} of p50: {rows[1].share:+.2%}")
    return {"machine": found, "costs": [asdict(row) for row in rows], "met": met}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 0 if the bar is met, 1 if it is missed or the release cannot be served."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.metrics", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--repository", type=Path, default=Path("build/model_repository"), help="a placed release")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--task", default="vessels", help="the segmenting task to ask")
    parser.add_argument("--rounds", type=int, default=300, help="requests to each server after a start")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/metrics.json"))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        times_us = measure(options, console)
    except ServingError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    saved = report(times_us, console)
    options.out.write_text(json.dumps(saved, indent=2) + "\n")
    return 0 if saved["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
