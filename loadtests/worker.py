"""The command `worker`: send a share of the load that a `run --workers N` on another machine shares out.

A worker checks the form of every answer. Sampled answers are compared with the expected ones only by the generators
beside `run`, where those lie.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from loadtests.flags import at_least_one
from loadtests.generator import DEFAULT_PORT, locust_command
from loadtests.interruption import Interruption
from loadtests.outcome import Outcome

_POLL_S = 0.2


def worker(arguments: Sequence[str]) -> int:
    """Connect to the master, send its share, and return 0 when all went well, else the exit code of what is invalid.

    The images must lie here under the same names as there; everything else comes from the master.
    """
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fovea-loadtest-") as out:
        command, environment = locust_command(
            "--worker", f"--master-host={options.master}", f"--master-port={options.port}", f"--out={out}"
        )
        interruption = Interruption()
        with interruption.listen():
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
            code = _wait(process, interruption)
    if not code:
        return Outcome.PASSED.exit_code
    if not interruption.signal_name:
        sys.stderr.write(f"loadtests: the generator ended with {code}; what it said is above.\n")
    return Outcome.INVALID.exit_code


def _wait(process: "subprocess.Popen[bytes]", interruption: Interruption) -> int:
    while process.poll() is None and not interruption.signal_name:
        try:
            process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            continue
    process.terminate()
    try:
        return process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests worker",
        description="Send a share of the load of `python -m loadtests run --workers N` on another machine.",
    )
    parser.add_argument("--master", required=True, metavar="HOST", help="the machine that `run` was started on")
    parser.add_argument(
        "--port", type=at_least_one, default=DEFAULT_PORT, metavar="N", help="its port (default: %(default)s)"
    )
    return parser
