"""What a generator says of itself at its end, for the process that judges: a small file beside the rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GENERATOR_FILE = "generator.json"


def write_generator_file(out: Path, cpu_ratio: float | None, faults: tuple[str, ...]) -> None:
    """Leave word of how it went to whoever reads the rows."""
    (out / GENERATOR_FILE).write_text(json.dumps({"cpu_ratio": cpu_ratio, "faults": faults}), encoding="utf-8")


def read_generator_file(out: Path) -> Mapping[str, Any]:
    """What `write_generator_file` wrote; an empty mapping when it came to nothing."""
    path = out / GENERATOR_FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
