"""python -m ci.sbom FILE: what is installed as a CycloneDX bill of materials, each licence as `make licences` reads it.

The same environment gives the same bytes: no date, no serial number, no path of this machine.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from ci.installed import OURS, installed
from ci.licences import check, write_whole
from ci.policy import Allowed, read_policy

ROOT = Path(__file__).parents[1]
_LICENCE = "Apache-2.0"  # ours


def main() -> int:
    """Write the bill once it is valid."""
    parser = argparse.ArgumentParser(prog="python -m ci.sbom", description=__doc__)
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args().file
    text = json.dumps(bill(), indent=2, sort_keys=True) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.stderr.write(f"error: the bill of materials is not valid CycloneDX: {fault}\n")
        return 1
    write_whole(path, text)
    sys.stdout.write(f"{path}: CycloneDX 1.6, valid\n")
    return 0


def bill() -> dict[str, Any]:
    """Return the bill of this environment; a package that `ci.licences` refuses keeps what its metadata says."""
    words = ["environment", "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--no-validate"]
    made = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *words, "--sv", "1.6", sys.executable],
        capture_output=True,
        text=True,
        check=True,
    )
    content: dict[str, Any] = json.loads(made.stdout)
    allowed = {each.package.name: each for each in check(installed(), read_policy())[0]}
    for component in (*content["components"], content["metadata"]["component"]):
        _complete(component, allowed)
    return content


def _complete(component: dict[str, Any], allowed: dict[str, Allowed]) -> None:
    """Give it its licence in one spelling, and ours an address of no registry.

    Links of project pages go: the purl names the package, validating them takes most of a minute, and ours is a folder.
    """
    name = canonicalize_name(component["name"])
    component.pop("externalReferences", None)
    if name in OURS:
        component["purl"] = f"pkg:generic/{name}@{component['version']}"
        component["licenses"] = [{"expression": _LICENCE, "acknowledgement": "declared"}]
    elif found := allowed.get(name):
        how = "concluded" if found.reason or found.licence not in found.package.says else "declared"
        component["licenses"] = [{"expression": found.licence, "acknowledgement": how}]


if __name__ == "__main__":
    sys.exit(main())
