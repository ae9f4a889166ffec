"""What a server's process holds: memory and file descriptors, its children's too."""

from dataclasses import dataclass

import psutil

MIB = 2**20


@dataclass(frozen=True)
class Holdings:
    """Resident memory in MiB and open file descriptors of a process and its descendants, summed.

    Pages that they share count in each, which moves the level and not the trend.
    """

    memory_mib: float
    descriptors: int


def holdings(pid: int) -> Holdings | None:
    """What the process and its descendants hold now; None when it is gone or not ours to look at.

    Triton's Python models are children of it and end and start as they please: one that is gone counts as nothing.
    """
    try:
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        memory_bytes = descriptors = 0
        for process in family:
            try:
                with process.oneshot():
                    memory_bytes += process.memory_info().rss
                    descriptors += process.num_fds()
            except psutil.NoSuchProcess:
                if process is server:
                    return None
    except psutil.Error:
        return None
    return Holdings(memory_bytes / MIB, descriptors)
