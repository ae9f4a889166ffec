"""How much longer than alone a process takes on this machine just now: what a promise in seconds is stretched by."""

import time

_CPU_S = 0.1


def slowdown() -> float:
    """1 on a quiet machine, about 4 where four processes want each core. Takes a tenth of a second of CPU."""
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    while time.process_time() - cpu_began_s < _CPU_S:
        pass
    return max(1.0, (time.perf_counter() - began_s) / _CPU_S)
