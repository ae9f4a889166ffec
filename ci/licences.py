"""python -m ci.licences: the licence of every installed package, held to licences.yaml, as a list and as a page.

Exit status 1, with one sentence for each, where a package's licence is not allowed; then nothing is written.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from ci.installed import Package, installed
from ci.policy import Allowed, LicenceError, Policy, judge, read_policy

INTRODUCTION = Path(__file__).parent / "licences.in.md"
_INSTALLER = "pip"  # pinned by whoever made the environment, not by constraints.txt


def main() -> int:
    """Check, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m ci.licences", description=__doc__)
    parser.add_argument("--list", type=Path, help="JSON file to write")
    parser.add_argument("--page", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    try:
        allowed, refused = check(installed(), read_policy())
    except LicenceError as error:
        allowed, refused = [], [str(error)]
    if refused:
        sys.stderr.writelines(f"error: {sentence}\n" for sentence in refused)
        return 1
    if options.list:
        write_whole(options.list, json.dumps([_row(each) for each in allowed], indent=2) + "\n")
    if options.page:
        write_whole(options.page, page(allowed))
    sys.stdout.write(f"{len(allowed)} packages, every licence allowed\n")
    return 0


def check(packages: Iterable[Package], policy: Policy) -> tuple[list[Allowed], list[str]]:
    """Return what is allowed, and a sentence for each package that is not."""
    allowed, refused = [], []
    for package in packages:
        try:
            allowed.append(judge(package, policy))
        except LicenceError as error:
            refused.append(str(error))
    return allowed, refused


def page(allowed: Iterable[Allowed]) -> str:
    """Return the page of `docs/reference/licences.md`."""
    listed = [each for each in allowed if each.package.name != _INSTALLER]
    required = _table(each for each in listed if each.package.required)
    others = _table(each for each in listed if not each.package.required)
    return INTRODUCTION.read_text().format(required=required, development=others)


def _table(rows: Iterable[Allowed]) -> str:
    cells = (f"| {each.package.name} | {each.package.version} | {each.licence} | {each.reason} |" for each in rows)
    return "\n".join(["| package | version | licence | why, where it is an exception |", "|---|---|---|---|", *cells])


def _row(allowed: Allowed) -> dict[str, object]:
    package = allowed.package
    found = {"name": package.name, "version": package.version, "licence": allowed.licence}
    return found | {"required": package.required, "metadata": list(package.says), "reason": allowed.reason}


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the whole of it or its former self."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
