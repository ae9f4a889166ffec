"""A release served with another number of network instances, to find out which number serves best.

The release itself stays as it was placed: what Triton reads is a folder of links to it, beside the changed files.
"""

import re
from pathlib import Path

from serving.errors import PreflightError

NETWORK_SUFFIX = "_network"
_COUNT = re.compile(r"(instance_group\s*\[\s*\{[^}\]]*?\bcount:\s*)\d+")


def linked_repository(release: Path, folder: Path, *, profile: str, instances: int) -> Path:
    """Make and return a model repository below `folder` whose networks have that many instances each.

    Raises:
        PreflightError: the release has no network, or one that names no count.
    """
    repository = folder / "repository"
    repository.mkdir()
    networks = 0
    for model in sorted(path.parent for path in release.resolve().glob("*/config.pbtxt")):
        if model.name.endswith(NETWORK_SUFFIX):
            _link_network(model, repository / model.name, profile, instances)
            networks += 1
        else:
            (repository / model.name).symlink_to(model)
    if not networks:
        raise PreflightError(f"{release} has no model *{NETWORK_SUFFIX} to give instances to; leave --instances out")
    return repository


def _link_network(model: Path, target: Path, profile: str, instances: int) -> None:
    special = Path("configs") / f"{profile}.pbtxt"
    config = special if (model / special).is_file() else Path("config.pbtxt")
    text, changed = _COUNT.subn(rf"\g<1>{instances}", (model / config).read_text())
    if changed != 1:
        raise PreflightError(f"{model.name}/{config} names no instance_group with a count; leave --instances out")
    target.mkdir()
    for entry in model.iterdir():
        if entry.name not in ("config.pbtxt", "configs"):
            (target / entry.name).symlink_to(entry)
    # Whatever the profile: the changed text is the only configuration.
    (target / "config.pbtxt").write_text(text)
