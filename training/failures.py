"""What breaks while a run works, as one sentence: what happened, what was kept and what to do."""

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from training.checkpoints import newest_checkpoint
from training.errors import DataError, LostProcessError, TrainingError

_FULL = {errno.ENOSPC: "no space is left", errno.EDQUOT: "the quota is used up", errno.EFBIG: "files may be no larger"}
# How gloo and NCCL put it.
_PEER_LOST = ("closed by peer", "reset by peer", "broken pipe", "nccl", "timed out waiting", "connection refused")
_NOT_WRITTEN = ("writer failed", "unexpected pos", "cannot be opened", "enforce fail at inline_container")


def kept(folder: Path, since_s: float, resumed: Path | None = None) -> str:
    """Return what is left of a run that began at a time (seconds since the epoch), and how to go on with it."""
    if newest_checkpoint(folder, since_s) is not None:
        return f"continue with the same call and resume={shlex.quote(str(folder))}"
    if resumed is not None:
        return f"nothing new was learnt; continue with the same call and resume={shlex.quote(str(resumed))}"
    return "nothing had been learnt yet, so nothing was kept"


@contextmanager
def explained(
    folder: Path, since_s: float, resumed: Path | None = None, recording: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what a machine does to a run into a TrainingError; errors of the code itself pass as they are.

    Args:
        folder: of the model.
        since_s: when the run began, in seconds since the epoch.
        resumed: checkpoint that it began with.
        recording: what the run's recorder raises.

    Raises:
        TrainingError: a picture that cannot be read, a full disk, a process that died, too little memory, or a recorder
            that failed.
    """
    try:
        yield
    except DataError as error:
        # A process that prepares crops passes it on with its traceback, whose last line is the sentence.
        sentence = str(error).splitlines()[-1].removeprefix(f"{DataError.__module__}.{DataError.__name__}: ")
        raise DataError(f"{sentence}; {kept(folder, since_s, resumed)}") from error
    except TrainingError:
        raise
    except Exception as error:
        what = _what_happened(error, folder, recording)
        if what is None:
            raise
        failure = LostProcessError if _is_peer_lost(error) else TrainingError
        raise failure(f"{what}; {kept(folder, since_s, resumed)}") from error


def _what_happened(error: BaseException, folder: Path, recording: tuple[type[Exception], ...]) -> str | None:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in said:
        return "the memory is used up: lower trainer.batch_size, trainer.crop_px or trainer.workers"
    if "DataLoader worker" in said:
        return f"a process that prepares crops died ({said.rstrip('.')}): free memory or lower trainer.workers"
    if _is_peer_lost(error):
        return "another process of this training is gone"
    if _is_writing(error, said):
        why = _FULL.get(getattr(error, "errno", None) or 0, said)
        return f"{folder} could not be written ({why}): free some space, or name another folder with out="
    if isinstance(error, recording):
        return f"the run could no longer be recorded ({said[:160]}): look after tracking.uri, or use tracking=none"
    return None


def _is_peer_lost(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return False
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in said for part in _PEER_LOST)


def _is_writing(error: BaseException, said: str) -> bool:
    if isinstance(error, OSError):
        return error.errno is not None
    return isinstance(error, SafetensorError) or any(part in said.lower() for part in _NOT_WRITTEN)
