"""What a model repository must hold before Triton is asked to load it."""

import re
import shutil
from pathlib import Path

from serving.errors import PreflightError
from tasks.checksums import verify_checksums
from tasks.errors import ChecksumError

_MODEL_FILE = re.compile(r'^\s*default_model_filename:\s*"([^"]+)"', re.MULTILINE)
_BACKEND = re.compile(r'^\s*backend:\s*"([^"]+)"', re.MULTILINE)
_PLATFORM = re.compile(r'^\s*platform:\s*"ensemble"', re.MULTILINE)


def check_repository(repository: Path, profile: str) -> tuple[list[str], str]:
    """Return the names of the models that the profile will serve, and the release's digest.

    Raises:
        PreflightError: no repository, a changed or missing file, an unknown profile, a model without its artefact.
    """
    if not repository.is_dir():
        raise PreflightError(f"there is no model repository at {repository}; place one with `python -m export`")
    try:
        release = verify_checksums(repository)
    except ChecksumError as error:
        raise PreflightError(str(error)) from error
    # Only now: nothing is removed from a folder that is not a release.
    _drop_byte_code(repository)
    models = sorted(path.parent for path in repository.glob("*/config.pbtxt"))
    if not models:
        raise PreflightError(f"{repository} holds no model (no */config.pbtxt); place one with `python -m export`")
    _check_profile(models, profile)
    for model in models:
        _check_artefact(model, profile)
    return [model.name for model in models], release


def _drop_byte_code(repository: Path) -> None:
    """Remove what Python cached beside the models: no checksum covers it, and planted byte code would be run."""
    for cache in list(repository.resolve().rglob("__pycache__")):
        try:
            shutil.rmtree(cache)
        except OSError as error:
            raise PreflightError(f"byte code in {cache} cannot be removed ({error}); place the release anew") from error


def _check_profile(models: list[Path], profile: str) -> None:
    known = {"default"} | {path.stem for model in models for path in model.glob("configs/*.pbtxt")}
    if profile not in known:
        raise PreflightError(f"no model has a configuration for profile {profile!r}; there are {sorted(known)}")


def _backends() -> list[str]:
    """Return what the embedded server can run: its own python backend, and ours that are built on it."""
    ours = Path(__file__).parent / "backends"
    return sorted(["python", *(folder.parent.name for folder in ours.glob("*/model.py"))])


def _check_artefact(model: Path, profile: str) -> None:
    special = model / "configs" / f"{profile}.pbtxt"
    config = (special if special.is_file() else model / "config.pbtxt").read_text()
    if _PLATFORM.search(config):
        return
    backend = _BACKEND.search(config)
    if backend and backend.group(1) not in _backends():
        raise PreflightError(
            f"profile {profile!r} serves {model.name} with the backend {backend.group(1)}, which needs NVIDIA's "
            f"container and a GPU; the embedded server has {', '.join(_backends())}"
        )
    named = _MODEL_FILE.search(config)
    file_name = named.group(1) if named else "model.py"
    if not any(model.glob(f"[0-9]*/{file_name}")):
        raise PreflightError(
            f"model {model.name} has no {file_name}, which profile {profile!r} serves; export that format and place it"
        )
