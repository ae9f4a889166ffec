"""The command `drift`: do these pictures still look, and are they answered, as those of the reference?"""

import argparse
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monitoring.errors import NoImagesError, ProfileError, UsageError
from monitoring.exposition import listen, write_textfile
from monitoring.judgement import FEWEST_IMAGES, FEWEST_LABELS, Rule, alarms, judge
from monitoring.labels import late_labels, measure_performance
from monitoring.network import Network
from monitoring.output import prepare_folder, write_whole
from monitoring.page import PAGE_FILE, page
from monitoring.pictures import Measured, find_pictures, measure, shown
from monitoring.profile import Reference, default_folder, read_reference
from monitoring.ranking import strangest
from monitoring.result import FILE_NAME, Result, document, means
from monitoring.selection import add_selection_arguments, at_least_one, drawn, open_network, print_unreadable, share

HELP = "compare pictures with a reference and say whether they have drifted"
EPILOG = (
    f"Exits with 0 when nothing has drifted, 1 when something has, 2 when nothing can be said. Writes {FILE_NAME} and "
    f"{PAGE_FILE} below --out; both name the strangest pictures, so keep them where the pictures are kept."
)
NO_DRIFT, DRIFT = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EPILOG
    add_selection_arguments(parser, "the window: pictures to judge, in this folder or below it")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="profile (default: that of the release)")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="late labels of the pictures, or of some of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--alpha", type=share, default=0.05, help="rate of false alarms (default: %(default)s)")
    parser.add_argument("--draws", type=at_least_one, default=5000, help="under no drift (default: %(default)s)")
    parser.add_argument(
        "--bootstrap", action="store_true", help="draw with replacement, for large windows (default: random splits)"
    )
    parser.add_argument(
        "--thumbnails", type=int, default=0, metavar="N", help="show the N strangest pictures in the report, small"
    )
    parser.add_argument("--textfile", type=Path, metavar="FILE", help="metrics for the node exporter, *.prom")
    parser.add_argument("--listen", metavar="HOST:PORT", help="then serve the metrics until Ctrl-C")


def run(options: argparse.Namespace) -> int:
    """Judge, write the results and return 0 or 1. Raises MonitoringError."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    network = open_network(options)
    reference = _reference(options, network)
    prepare_folder(options.out, (FILE_NAME, PAGE_FILE))
    files = drawn(find_pictures(options.images), options.most, options.seed)
    _check_count(len(files), options.images)
    window = measure(files, network, shown(console))
    print_unreadable(console, window.unreadable)
    _check_count(len(window.files), options.images)
    result = _judged(options, network, reference, window, console)
    write_whole(options.out / FILE_NAME, document(result), private=True)
    report = page(result, reference.figures, window, options.thumbnails)
    write_whole(options.out / PAGE_FILE, report, private=True)
    if options.textfile:
        write_textfile(result, options.textfile)
    _print(console, result, options.out)
    if options.listen:
        _serve(result, options.listen, console)
    return DRIFT if result.alarm else NO_DRIFT


def _reference(options: argparse.Namespace, network: Network) -> Reference:
    folder = options.reference or default_folder(options.release, network.release, network.task.name)
    reference = read_reference(folder, network.task)
    if reference.header.network != network.sha256:
        raise ProfileError(
            f"{folder} is of another network than {options.release} holds, and figures of two networks do not compare; "
            f"make a new one with `python -m monitoring reference --task {network.task.name}`."
        )
    return reference


def _check_count(count: int, folder: Path) -> None:
    if count < FEWEST_IMAGES:
        raise NoImagesError(
            f"{folder} has {count} usable pictures and drift is judged from {FEWEST_IMAGES} on: wait for more."
        )


def _judged(
    options: argparse.Namespace, network: Network, reference: Reference, window: Measured, console: Console
) -> Result:
    rule = Rule(options.alpha, options.draws, options.seed, options.bootstrap)
    performance = _performance(options, network, reference, window, console)
    findings = judge(reference.figures, window.figures, network.task, rule, performance)
    return Result(
        task=network.task,
        created=datetime.now(UTC).replace(microsecond=0),
        reference=reference.header,
        release=network.release,
        rule=rule,
        findings=findings,
        means=means(reference.figures, window.figures, network.task),
        images=len(window.files),
        labelled=len(performance[1]) if performance else 0,
        unreadable=window.unreadable,
        strangest=strangest(reference.figures, window.figures, max(12, options.thumbnails)),
        names=[file.relative_to(options.images).as_posix() for file in window.files],
    )


def _performance(
    options: argparse.Namespace, network: Network, reference: Reference, window: Measured, console: Console
) -> Any:
    if not options.labels:
        return None
    if len(reference.performance) < FEWEST_LABELS:
        raise UsageError(
            f"the reference has {len(reference.performance)} labelled pictures and --labels needs {FEWEST_LABELS} to "
            "compare with: make it anew with --held-out."
        )
    labelled = late_labels(options.labels, window.files, network.task)
    return reference.performance, measure_performance(labelled, network, shown(console))


def _print(console: Console, result: Result, out: Path) -> None:
    found = list(alarms(result.findings))
    if found:
        table = Table(title=f"drift of {result.task.name}, {result.images} pictures")
        for column in ("kind", "statistic", "method", "score", "threshold", "p"):
            table.add_column(column)
        for each in found:
            figures = (f"{each.score:.4g}", f"{each.threshold:.4g}", f"{each.p_value:.2g}")
            table.add_row(each.kind, each.statistic, each.method, *figures)
        console.print(table)
    verdict = f"{len(found)} of {len(result.findings)} tests alarm" if found else "no drift"
    console.print(f"{result.task.name}: {verdict} in {result.images} pictures; see {out / PAGE_FILE}", markup=False)


def _serve(result: Result, address: str, console: Console) -> None:
    host, port = listen(result, address)
    console.print(f"metrics: http://{host}:{port}/metrics until Ctrl-C", markup=False)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
