"""The command `run`: check the inputs, drive the load, judge it, write the reports."""

import argparse
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fovea_client import FoveaError
from fovea_client.requests import ConfigRequest, ReadyRequest
from rich.console import Console

from loadtests import plots
from loadtests.correctness import SAMPLES_FILE, read_samples
from loadtests.drawing import resolve_images
from loadtests.drive import Endpoint, drive
from loadtests.errors import ServerNotReadyError
from loadtests.expected import EXPECTED_FILE
from loadtests.generator import LOG_FILE
from loadtests.images import image_set
from loadtests.interruption import Interruption
from loadtests.junit import junit_text
from loadtests.measurements import measure_drive
from loadtests.outcome import Outcome
from loadtests.outcome_file import GENERATOR_FILE
from loadtests.output import prepare_folder, write_whole
from loadtests.page import PAGE_FILE
from loadtests.prometheus import push
from loadtests.recorder import ERRORS_FILE, ROWS_FILE
from loadtests.rehearsal import rehearse
from loadtests.report import report_html
from loadtests.result import RunResult
from loadtests.settings import RunSettings, add_run_arguments, settings_from
from loadtests.slo import Slo, read_slo
from loadtests.summary import histograms_text, summary_text
from loadtests.terminal import ProgressDisplay, print_result
from loadtests.verdict import judge

READY_TIMEOUT_S = 3.0
# Each request and each comparison.
TRACES = (ROWS_FILE, ERRORS_FILE, SAMPLES_FILE, EXPECTED_FILE)
# Pictures that `--images synthetic:…` draws, once.
DRAWN = Path("build/data/loadtest")
# The order of writing: what a machine reads first, what takes longest last.
REPORTS = {
    "summary.json": summary_text,
    "histograms.json": histograms_text,
    "junit.xml": junit_text,
    PAGE_FILE: report_html,
}


def run(arguments: Sequence[str]) -> int:
    """Run once and return the exit code: 0 every objective met, 1 one missed, 2 invalid. Raises LoadTestError."""
    options = _parser().parse_args(arguments)
    prepare_folder(options.out, (*REPORTS, *TRACES, GENERATOR_FILE, LOG_FILE))
    slo = read_slo(options.slo, options.task)
    options.images = resolve_images(options.images or (), options.task, DRAWN)
    settings = settings_from(options, slo.load)
    image_set(settings.load.images)
    # Refused here, before a server is asked.
    settings.load.due_ns()
    require_ready(settings.endpoint)
    console = Console()
    interruption = Interruption()
    with interruption.listen():
        result = _drive(settings, slo, options.expected, interruption, console)
        for name, text_of in REPORTS.items():
            write_whole(settings.out / name, text_of(result))
        failed_push = push(result, options.push_gateway) if options.push_gateway else None
        print_result(console, result, failed_push)
    return result.verdict.outcome.exit_code


def require_ready(endpoint: Endpoint) -> None:
    """Return when the server says it is ready and knows the model. Raises ServerNotReadyError.

    Each question has READY_TIMEOUT_S to be answered.
    """
    try:
        with closing(endpoint.connect()) as transport:
            ready = transport.send(ReadyRequest(), timeout_s=READY_TIMEOUT_S)
            transport.send(ConfigRequest(endpoint.task), timeout_s=READY_TIMEOUT_S)
    except FoveaError as error:
        raise ServerNotReadyError(f"nothing to measure: {error}.") from None
    if not ready:
        raise ServerNotReadyError(f"the server at {endpoint.url} is not ready: wait until its models are loaded.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests run",
        description="Send images at a fixed arrival rate, whatever the answers do, and judge latency and errors.",
        epilog=f"Exits with {Outcome.PASSED.exit_code} when every objective is met, {Outcome.MISSED.exit_code} when "
        f"one is missed, {Outcome.INVALID.exit_code} when the run is invalid. Rate, duration, warm-up and arrivals "
        "that are not given come from the file of objectives. "
        f"Writes {', '.join((*REPORTS, *TRACES))} below --out.",
    )
    add_run_arguments(parser)
    parser.add_argument(
        "--expected",
        type=Path,
        metavar="PATH",
        help="folder of masks, or labels.json, that sampled answers are compared with; without it with what the server "
        "answered before the load",
    )
    parser.add_argument("--push-gateway", metavar="URL", help="Prometheus Pushgateway that gets the figures as well")
    return parser


def _drive(
    settings: RunSettings, slo: Slo, expected: Path | None, interruption: Interruption, console: Console
) -> RunResult:
    endpoint, load, out = settings.endpoint, settings.load, settings.out
    plots.warm_up()
    with console.status("asking once for what answers are compared with"):
        compared_with = _rehearse(settings, slo, expected, interruption)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with ProgressDisplay(console, settings) as progress:
        driven = drive(
            endpoint,
            load,
            out,
            interruption=interruption,
            workers=settings.workers,
            on_tick=progress.tick,
        )
    measured = measure_drive(driven, slo, read_samples(out))
    verdict = judge(measured, slo.objectives, generator_faults=driven.faults)
    images_count = len(image_set(load.images).paths)
    return RunResult(settings, started_at, images_count, driven, slo, measured, verdict, compared_with)


def _rehearse(settings: RunSettings, slo: Slo, expected: Path | None, interruption: Interruption) -> str:
    try:
        return rehearse(
            settings.endpoint, settings.load, slo.correctness, settings.out, source=expected, stop=interruption
        )
    except FoveaError as error:
        raise ServerNotReadyError(f"nothing to measure: {error}.") from None
