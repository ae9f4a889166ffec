"""A service of this machine as tests ask it: over loopback, where a proxy of the environment must not stand between."""

import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout_s: float = 20.0) -> bytes:
    """Return what it answers; a refusal raises an OSError."""
    with _OPENER.open(url, timeout=timeout_s) as answer:
        return bytes(answer.read())


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    """Return once it answers; an AssertionError has the end of its log."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        with suppress(OSError):
            get(url, timeout_s=2)
            return
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline_s, log.read_text()[-3000:]
        time.sleep(0.2)
