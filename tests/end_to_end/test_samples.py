"""An endpoint that was allowed to keeps the picture it was sent and the mask it gave; else it does not start."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from doors import Launched, Stages, door
from fovea_client import Client

from tasks import get_task
from tasks.held_out import read_held_out
from tasks.samples import Samples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watched") / "samples"
    allowed = door("monitoring", "samples", "enable", str(path), "--candidates-per-hour", "36000")
    assert allowed.returncode == 0, allowed.stderr
    return path


@pytest.fixture(scope="module")
def sampling(stages: Stages, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    server = Launched(stages.repository, tmp_path_factory.mktemp("serving"), "--samples", str(folder))
    try:
        yield server.wait()
    finally:
        server.stop()


def test_what_was_sent_and_answered_is_kept(sampling: Launched, stages: Stages, folder: Path) -> None:
    data = read_held_out(stages.model, get_task("vessels"))[0].image.read_bytes()
    with Client(sampling.grpc, timeout_s=30) as client:
        answer = client.segment(data, task="vessels")
        time.sleep(0.2)
        client.segment(data, task="vessels")
    kept = Samples(folder).all()
    assert kept
    for sample in kept:
        found = folder / "kept" / sample.id
        assert (found / "image").read_bytes() == data
        assert np.array_equal(cv2.imread(str(found / "mask.png"), cv2.IMREAD_UNCHANGED), answer.mask)
        assert 0 < sample.uncertainty < 1
        assert stat.S_IMODE((found / "image").stat().st_mode) == 0o600
    assert not list((folder / "pending").iterdir())


def test_a_folder_that_nobody_allowed_stops_the_start(stages: Stages, tmp_path: Path) -> None:
    server = Launched(stages.repository, tmp_path, "--samples", str(tmp_path / "anywhere"))
    assert server.process.wait(120) == 1
    assert "monitoring samples enable" in server.output()
