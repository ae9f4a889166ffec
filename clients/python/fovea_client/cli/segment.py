"""`fovea segment`: masks of files, one request an image or, cut into tiles, many."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fovea_client.cli.connection import connect
from fovea_client.cli.exits import Exit
from fovea_client.cli.images import find_images
from fovea_client.cli.outputs import Outputs, origin_of, plan_outputs
from fovea_client.cli.reporting import Report, require_reachable
from fovea_client.cli.terminal import Progress
from fovea_client.client import Client
from fovea_client.errors import FoveaError
from fovea_client.segmentation import Segmentation
from fovea_client.task import TaskInfo
from fovea_client.tiled.result import TiledSegmentation, tiling_tags


@dataclass(frozen=True, slots=True)
class _Job:
    """An image's place in the list, what becomes of it, and whether an earlier run did it."""

    outputs: Outputs
    done_before: bool


def segment(arguments: argparse.Namespace) -> Exit:
    """Write the mask and the probability of every image."""
    if not arguments.tiled and (arguments.tile_px, arguments.overlap_px) != (None, None):
        arguments.usage_error("--tile-px and --overlap-px cut a picture only with --tiled")
    suffix = ".tif" if arguments.tiled else ".png"
    plans = plan_outputs(find_images(arguments.images, arguments.out), arguments.out, suffix=suffix)
    with connect(arguments) as client:
        # A wrong task or address is one sentence here, not one for every image.
        info = client.describe(arguments.task)
        info.require(classifies=False)
        jobs = list(_jobs(plans, arguments, info))
        ask = _ask_tiled if arguments.tiled else _ask
        with Progress(len(jobs), "tiles" if arguments.tiled else "images") as progress:
            report = Report(len(jobs), progress, as_json=arguments.json, counts=not arguments.tiled)
            ask(client, jobs, arguments, report)
    return report.close()


def _jobs(plans: Sequence[Outputs], arguments: argparse.Namespace, info: TaskInfo) -> Iterator[_Job]:
    for plan in plans:
        origin = origin_of(plan.image, info.name)
        if arguments.tiled and origin:
            origin |= tiling_tags(arguments.tile_px, arguments.overlap_px)
        yield _Job(plan, arguments.resume and plan.done(origin))


def _ask(client: Client, jobs: Sequence[_Job], arguments: argparse.Namespace, report: Report) -> None:
    missing = (job.outputs.image for job in jobs if not job.done_before)
    outcomes = client.segment_many(missing, task=arguments.task, in_flight=arguments.in_flight)
    for number, job in enumerate(jobs, 1):
        if not job.done_before:
            outcome = next(outcomes)
            require_reachable(client, outcome.error, report)
        try:
            result = None if job.done_before else outcome.unwrap()
            if result is not None:
                job.outputs.write(result)
        except FoveaError as error:
            report.failed(number, job.outputs.image, error)
            continue
        if result is None:
            report.skipped(number, job.outputs.image)
        else:
            report.done(number, job.outputs.image, _line(job.outputs, result), _record(job.outputs, result))


def _ask_tiled(client: Client, jobs: Sequence[_Job], arguments: argparse.Namespace, report: Report) -> None:
    for number, job in enumerate(jobs, 1):
        if job.done_before:
            report.skipped(number, job.outputs.image)
            continue
        try:
            job.outputs.make_folder()
            result = client.segment_tiled(
                job.outputs.image,
                job.outputs.mask,
                task=arguments.task,
                tile_px=arguments.tile_px,
                overlap_px=arguments.overlap_px,
                in_flight=arguments.in_flight,
                probability=job.outputs.probability,
                progress=report.progress.update,
            )
        except FoveaError as error:
            require_reachable(client, error, report)
            report.failed(number, job.outputs.image, error)
        else:
            report.done(number, job.outputs.image, _line_tiled(job.outputs, result), _record(job.outputs, result))


def _line(outputs: Outputs, found: Segmentation) -> str:
    height_px, width_px = found.mask.shape
    return f"{width_px}x{height_px} px in {found.elapsed_ms:.1f} ms -> {outputs.mask}, {outputs.probability.name}"


def _line_tiled(outputs: Outputs, found: TiledSegmentation) -> str:
    size, seconds = f"{found.width_px}x{found.height_px} px", found.elapsed_ms / 1000
    return f"{size}, {found.tiles} tiles in {seconds:.1f} s -> {outputs.mask}, {outputs.probability.name}"


def _record(outputs: Outputs, found: Segmentation | TiledSegmentation) -> dict[str, Any]:
    if isinstance(found, TiledSegmentation):
        height_px, width_px = found.height_px, found.width_px
    else:
        height_px, width_px = found.mask.shape
    record = {
        "task": found.task,
        "model_version": found.model_version,
        "width_px": width_px,
        "height_px": height_px,
        "mask": str(outputs.mask),
        "probability": str(outputs.probability),
        "pixels": found.area_px(),
        "elapsed_ms": round(found.elapsed_ms, 3),
    }
    return record | {"tiles": found.tiles} if isinstance(found, TiledSegmentation) else record
