"""Programs that a test needs and a machine may lack: in PATH, or where tests/cluster/build puts what it compiles."""

import os
import shutil
from pathlib import Path

import pytest

HOME = Path(os.environ.get("FOVEA_CLUSTER", Path.home() / ".cache" / "fovea-cluster"))
BUILT = HOME / "bin"


def tool(name: str) -> str:
    """Return the path of a program; skip the test where it is not."""
    found = shutil.which(name) or shutil.which(name, path=str(BUILT))
    if found is None:
        pytest.skip(f"{name} is not here: put it into PATH or into {BUILT}, as `make cluster-build` does")
    return found
