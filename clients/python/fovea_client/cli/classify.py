"""`fovea classify`: the class of files, printed, or kept as JSON lines in a file that a later run goes on with."""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fovea_client.classification import Classification
from fovea_client.cli.connection import connect
from fovea_client.cli.exits import Exit
from fovea_client.cli.images import Named, find_images, is_image_name
from fovea_client.cli.outputs import origin_of
from fovea_client.cli.reporting import Report, require_reachable
from fovea_client.cli.terminal import Progress
from fovea_client.client import Client
from fovea_client.errors import FoveaError, OutputError
from fovea_client.many import in_order

_Keep = Callable[[dict[str, Any]], None]


def classify(arguments: argparse.Namespace) -> Exit:
    """Print, and keep where it is asked for, the class of every image and its probability."""
    if arguments.resume and arguments.out is None:
        raise OutputError("--resume goes on with the file of an earlier run: name it with --out FILE")
    images = find_images(arguments.images, arguments.out)
    _check_inputs_kept(images, arguments.out)
    with connect(arguments) as client:
        client.describe(arguments.task).require(classifies=True)
        done = _read_done(arguments.out, arguments.task) if arguments.resume else set()
        with _keeping(arguments.out, resume=arguments.resume) as keep, Progress(len(images), "images") as progress:
            report = Report(len(images), progress, as_json=arguments.json, keep=keep)
            _ask(client, images, arguments, report, done)
    return report.close()


def _check_inputs_kept(images: list[Named], out: Path | None) -> None:
    # A shell that spells out `--out *.jpg` names the first picture as the file of answers and the others as images.
    if out is not None and (is_image_name(out) or any(out.resolve() == named.image.resolve() for named in images)):
        raise OutputError(f"--out {out}: is an image or called like one, and answers are JSON lines: name another file")


def _ask(
    client: Client, images: list[Named], arguments: argparse.Namespace, report: Report, done: set[tuple[str, ...]]
) -> None:
    keys = [_key(named.image, arguments.task) for named in images]
    missing = (named.image for named, key in zip(images, keys, strict=True) if key not in done)
    outcomes = in_order(lambda image: client.classify(image, task=arguments.task), missing, arguments.in_flight)
    for number, (named, key) in enumerate(zip(images, keys, strict=True), 1):
        if key in done:
            report.skipped(number, named.image)
            continue
        outcome = next(outcomes)
        require_reachable(client, outcome.error, report)
        try:
            found = outcome.unwrap()
        except FoveaError as error:
            report.failed(number, named.image, error)
        else:
            report.done(number, named.image, _line(found), _record(found) | origin_of(named.image, found.task))


def _line(found: Classification) -> str:
    probabilities = ", ".join(f"{name} {value:.3f}" for name, value in found.probability.items())
    return f"{found.label} ({probabilities}) in {found.elapsed_ms:.1f} ms"


def _record(found: Classification) -> dict[str, Any]:
    return {
        "model_version": found.model_version,
        "label": found.label,
        "probability": {name: round(value, 6) for name, value in found.probability.items()},
        "elapsed_ms": round(found.elapsed_ms, 3),
    }


def _key(image: Path, task: str) -> tuple[str, ...]:
    return (str(image), *origin_of(image, task).values())


def _read_done(path: Path, task: str) -> set[tuple[str, ...]]:
    """The images that whole lines of the file tell of; a line that was cut off is removed from the file."""
    try:
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            os.truncate(path, len(whole))
    except OSError as error:
        raise OutputError(f"--out {path}: cannot be read ({error.strerror})") from error
    return {key for line in whole.splitlines() if (key := _key_of(line, task)) is not None}


def _key_of(line: bytes, task: str) -> tuple[str, ...] | None:
    try:
        record = json.loads(line)
        if record["status"] != "done" or record["task"] != task:
            return None
        return (record["image"], record["task"], record["source_bytes"], record["source_mtime_ns"])
    except (ValueError, TypeError, KeyError):
        return None


@contextmanager
def _keeping(path: Path | None, *, resume: bool) -> Iterator[_Keep | None]:
    """What appends a record to the file; each line reaches the file at once."""
    if path is None:
        yield None
        return
    with _writing(path):
        file = path.open("a" if resume else "w", encoding="utf-8")

    def keep(record: dict[str, Any]) -> None:
        with _writing(path):
            file.write(json.dumps(record) + "\n")
            file.flush()

    # What fails in between, such as printing to a reader that went away, is not about this file.
    try:
        yield keep
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"--out {path}: cannot be written ({error.strerror})") from error
