"""One process of a distributed run: `python -m training.rank FOLDER RANK`, started by `training.processes`."""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console

from training.config import TrainingConfig
from training.errors import StoppedError, TrainingError
from training.processes import Order, Report, report_file
from training.quiet import ask_nobody, quieten


def main(words: list[str]) -> int:
    """Train as `FOLDER/order.json` says and return the exit status; say in the folder how it ended if not well."""
    folder, rank = Path(words[0]), int(words[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    order = Order(**json.loads((folder / "order.json").read_text()))
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainingConfig), order.config))
    assert isinstance(config, TrainingConfig)  # noqa: S101 - the schema is that class
    ask_nobody()
    from training.train import train_here  # noqa: PLC0415 - seconds of imports, after the thread watches the parent

    quieten()

    console = Console(highlight=False, soft_wrap=True, quiet=rank != 0)
    try:
        train_here(config, console, rank=rank, parent_id=order.parent_id)
    except TrainingError as error:
        number = error.signal_number if isinstance(error, StoppedError) else 0
        return _report(folder, rank, Report(type(error).__name__, str(error), number))
    except KeyboardInterrupt:
        stopped = StoppedError(signal.SIGINT, "nothing had been learnt yet, so nothing was kept")
        return _report(folder, rank, Report(type(stopped).__name__, str(stopped), signal.SIGINT))
    return 0


def _report(folder: Path, rank: int, report: Report) -> int:
    # The parent may be gone, and with it the folder.
    if folder.is_dir():
        report_file(folder, rank).write_text(json.dumps(asdict(report)))
    return 1


def _end_with_parent() -> None:
    """Stop when standard input closes: nobody would read what this process learns."""
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: Python cannot end while a buffer is being waited for
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
