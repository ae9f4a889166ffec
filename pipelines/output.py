"""How results of this package are written: whole or not at all, because another process may read them meanwhile."""

import json
import os
from pathlib import Path


def write_json(path: Path, content: object) -> None:
    """Write a JSON file so that a reader sees the whole of it or its former self."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)
