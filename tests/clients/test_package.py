"""What the distribution promises: few imports, no work at import, types."""

import subprocess
import sys
from pathlib import Path

import fovea_client
import pytest

HEAVY = ("torch", "cv2", "PIL", "pydantic", "rich", "tasks", "gevent", "tritonclient.http")


def test_import_brings_no_package_beyond_its_dependencies() -> None:
    code = f"import sys, fovea_client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_only_the_transport_knows_tritonclient() -> None:
    package = Path(fovea_client.__file__).parent
    users = {
        path.name
        for path in package.rglob("*.py")
        if "import tritonclient" in (text := path.read_text()) or "from tritonclient" in text
    }
    # The transport, and the bytes that it sends.
    assert users == {"transport.py", "wire.py"}
    assert (package / "py.typed").exists()


@pytest.mark.parametrize("name", fovea_client.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    assert getattr(fovea_client, name).__doc__
