"""Which code and which libraries made a thing: what provenance files record."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

# What a training's result depends on beside this code.
TOOLS = ("torch", "lightning", "albumentations", "numpy", "opencv-python-headless", "scikit-learn")


def code_revision() -> str:
    """Return the git commit of this checkout, with `-dirty` if files differ from it; `unknown` outside a checkout."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("-dirty" if _git(folder, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def tool_versions(*names: str) -> dict[str, str]:
    """Return the installed version of each distribution, and Python's."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
