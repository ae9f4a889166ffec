"""A question serves a release itself, watches the server that it started, and leaves nothing behind."""

import os
from pathlib import Path

import pytest
from doors import Stages

from loadtests.served import serve
from loadtests.soak.metrics import read_queue
from loadtests.soak.process import holdings

pytestmark = pytest.mark.slow


def test_a_served_release_is_watched_and_ended(stages: Stages, tmp_path: Path) -> None:
    with serve(stages.repository, tmp_path, instances=2) as served:
        assert served.pid is not None
        assert served.metrics_url is not None
        assert len(served.release) == 64
        held = holdings(served.pid)
        # The server, and a process for each instance of a Python model.
        assert held is not None
        assert held.memory_mib > 50
        assert "vessels_network_0_1" in (tmp_path / "triton.log").read_text()
        queue = read_queue(served.metrics_url, "vessels")
        assert queue is not None
        assert queue.pending == 0
    assert holdings(served.pid) is None
    with pytest.raises(ProcessLookupError):
        os.kill(served.pid, 0)
