"""The machine that a figure was measured on: without it, a capacity is a number without a unit."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

_NVIDIA_TIMEOUT_S = 5.0


def describe_machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GiB, GPUs by name, system; no name of the host."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _gpus(),
        "system": platform.system(),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, "--query-gpu=name", "--format=csv,noheader"],
            check=True, capture_output=True, text=True, timeout=_NVIDIA_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
