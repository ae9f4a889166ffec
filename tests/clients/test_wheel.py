"""The distribution as a service gets it: the wheel, in an environment that holds what it asks for and no more."""

import shutil
import statistics
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from doors import OFFLINE, ROOT
from kserve import SHAPE, LightTriton, level, serve
from packaging.requirements import Requirement

WHEEL_LIMIT_BYTES = 100_000
IMPORT_LIMIT_S = 0.25
CLEAN = {name: value for name, value in OFFLINE.items() if not name.startswith("PYTHON")}
pytestmark = pytest.mark.slow

SERVICE = """
import sys
from fovea_client import Client
with Client(sys.argv[1], timeout_s=20) as client:
    client.wait_until_ready(20)
    found = client.segment(b"an image")
print(found.mask.shape, int(found.probability[0, 0]), [info.name for info in found.classes])
"""
SNIPPET = """
from pathlib import Path

import numpy as np
from fovea_client import AsyncClient, Classification, Client, FoveaError, Segmentation

def vessel_share(path: Path) -> float:
    with Client("dns:///triton.fundus.svc:8001", timeout_s=5.0) as client:
        try:
            segmentation: Segmentation = client.segment(path, task="vessels")
        except FoveaError as error:
            raise SystemExit(str(error)) from error
    return float(np.mean(segmentation.mask > 0))

async def label(image: bytes) -> str:
    async with AsyncClient("localhost:8001") as client:
        classification: Classification = await client.classify(image)
        outputs = await client.infer("identity", {"x": np.zeros(3, np.float32)})
    return f"{classification.label} {sorted(outputs)}"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network from the sources as they are."""
    source = tmp_path_factory.mktemp("source") / "client"
    shutil.copytree(ROOT / "clients" / "python", source, ignore=shutil.ignore_patterns("*.egg-info", "build"))
    done = _run(sys.executable, "-c", "from setuptools.build_meta import *; print(build_wheel('dist'))", cwd=source)
    return source / "dist" / done.splitlines()[-1]


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment with the wheel and what it depends on."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    folder = next(item for item in zipfile.Path(wheel).iterdir() if item.name.endswith(".dist-info"))
    for name in _closure(metadata.PathDistribution(folder), frozenset(), set()):
        _link(metadata.distribution(name), site)
    # pip finds installed what the wheel asks for, or fails: there is no index to ask.
    _pip(environment / "bin", "install", "--no-index", "--quiet", str(wheel))
    return environment / "bin"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve(LightTriton()) as address:
        yield address


def test_a_service_segments_with_nothing_but_the_dependencies(clean: Path, address: str) -> None:
    installed = _pip(clean, "list", "--format=freeze")
    assert not {"torch", "rich", "rasterio", "pillow"} & {line.partition("==")[0] for line in installed.splitlines()}
    assert _run(clean / "python", "-c", SERVICE, address) == f"{SHAPE} {level(b'an image')} ['background', 'vessel']\n"


def test_the_command_runs_with_nothing_but_the_dependencies(clean: Path, address: str, tmp_path: Path) -> None:
    (tmp_path / "eye.png").write_bytes(b"an image")
    _run(clean / "fovea", "segment", "eye.png", "--url", address, "--out", "masks", cwd=tmp_path)
    assert (tmp_path / "masks" / "eye_mask.png").stat().st_size
    assert "vessels" in _run(clean / "fovea", "models", "--url", address)


def test_a_service_passes_mypy_strict(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SNIPPET)
    words = ("--strict", "--python-executable", clean / "python", "--config-file", "", "service.py")
    assert "Success" in _run(sys.executable, "-m", "mypy", *words, cwd=tmp_path)
    (tmp_path / "service.py").write_text(SNIPPET.replace("timeout_s=5.0", "timeout_s='5'"))
    with pytest.raises(AssertionError, match='incompatible type "str"'):
        _run(sys.executable, "-m", "mypy", *words, cwd=tmp_path)


def test_the_import_is_quick(clean: Path) -> None:
    # Seconds of this process, not of the clock: what else the machine does is not the client's.
    code = "import time, numpy, grpc; s = time.process_time(); import fovea_client; print(time.process_time() - s)"
    _run(clean / "python", "-c", code)
    seconds = [float(_run(clean / "python", "-c", code)) for _ in range(7)]
    assert statistics.median(seconds) < IMPORT_LIMIT_S, seconds


def test_the_wheel_is_small_and_typed(wheel: Path) -> None:
    assert wheel.stat().st_size < WHEEL_LIMIT_BYTES
    names = zipfile.ZipFile(wheel).namelist()
    assert "fovea_client/py.typed" in names
    assert not [name for name in names if not name.startswith("fovea_client")]


def _closure(distribution: metadata.Distribution, extras: frozenset[str], found: set[str]) -> set[str]:
    """The names of what the distribution needs with these extras, and of what those need."""
    for requirement in map(Requirement, distribution.requires or ()):
        marker = requirement.marker
        wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})
        if wanted and requirement.name not in found:
            found.add(requirement.name)
            _closure(metadata.distribution(requirement.name), frozenset(requirement.extras), found)
    return found


def _link(distribution: metadata.Distribution, site: Path) -> None:
    """Show the distribution's files, and no other, in another environment."""
    for file in distribution.files or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(file.locate())))


def _pip(folder: Path, *words: str) -> str:
    return _run(folder / "python", "-m", "pip", *words)


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    """What the command prints; that it succeeds is asserted."""
    done = subprocess.run(
        list(map(str, words)), check=False, cwd=cwd, env=CLEAN, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
