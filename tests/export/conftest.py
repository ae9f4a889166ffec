"""What several suites of export share."""

from collections.abc import Callable

import pytest
from exported import Exported, export_all


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Writes a task's artefacts when they are first asked for."""
    done: dict[str, Exported] = {}

    def export(name: str) -> Exported:
        if name not in done:
            done[name] = export_all(name, tmp_path_factory.mktemp(name))
        return done[name]

    return export
