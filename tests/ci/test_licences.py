"""Every installed licence is on the allow-list, the page says what is pinned, and what must not pass does not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from ci.installed import Package, _package
from ci.licences import check
from ci.policy import LicenceError, Policy, judge, read_policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "licences.md").read_text()
FORBIDDEN = ["AGPL-3.0-only", "BUSL-1.1", "SSPL-1.0", "CC-BY-NC-SA-4.0", "PolyForm-Noncommercial-1.0.0"]
FORBIDDEN += ["GNU Affero General Public License v3", "Business Source License 1.1", "MIT with Commons Clause"]


def licences(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the front door on this environment, and on the distributions of a folder."""
    found = {"PYTHONPATH": os.pathsep.join(filter(None, [str(path or ""), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "ci.licences", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240, env=os.environ | found
    )


def plant(folder: Path, name: str, *metadata: str) -> None:
    """Install a distribution that is nothing but metadata."""
    info = folder / f"{name}-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 9.9", *metadata, ""]))


def package(*says: str, name: str = "hoarder", version: str = "9.9", required: bool = True) -> Package:
    return Package(name, version, required, says, "\n".join(says))


def read(name: str = "hoarder", expression: str = "", field: str = "", classifiers: str = "") -> Package:
    """The package as it is read from metadata."""
    said = {"License-Expression": expression, "License-Metadata": field, "License-Classifier": classifiers}
    return _package({"Name": name, "Version": "9.9"} | {key: text or "UNKNOWN" for key, text in said.items()}, set())


def policy(**settled: dict[str, object]) -> Policy:
    return Policy(
        allowed=["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"],
        spellings={"MIT License": "MIT"},
        packages=settled,
    )


def pins() -> dict[str, set[str]]:
    """Return what constraints.txt pins here: canonical name → versions."""
    found: dict[str, set[str]] = {}
    for line in re.findall(r"^([A-Za-z][^\s;]*==[^\\\n]*)", (ROOT / "constraints.txt").read_text(), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier)[2:])
    return found


def test_what_is_installed_is_allowed_and_the_page_is_made_from_it(tmp_path: Path) -> None:
    result = licences("--list", str(tmp_path / "licences.json"), "--page", str(tmp_path / "page.md"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "licences.json").stat().st_size > 10_000
    made = (tmp_path / "page.md").read_text()
    if rows(made) == rows(PAGE):
        assert made == PAGE, "run `make licences`"
    assert {name for name, _ in rows(made)} >= set(pins())


def test_the_page_names_every_pin_and_nothing_else() -> None:
    listed = rows(PAGE)
    assert {name for name, _ in listed} == set(pins()), "run `make licences`"
    pinned = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    assert [row for row in listed if f"{row[0]}=={row[1]}" not in pinned] == []


def rows(page: str) -> list[tuple[str, str]]:
    tables = page.partition("## Required")[2]
    return [(name, version) for name, version in re.findall(r"^\| ([a-z0-9-]+) \| (\d\S*) \|", tables, re.MULTILINE)]


def test_packages_that_are_not_allowed_are_refused_by_name(tmp_path: Path) -> None:
    plant(tmp_path / "site", "hoarder", "License-Expression: AGPL-3.0-or-later")
    plant(tmp_path / "site", "mystery", "License: Sourced Available 3")
    plant(tmp_path / "site", "silence", "Summary: of no licence")
    result = licences("--list", str(tmp_path / "licences.json"), path=tmp_path / "site")
    assert result.returncode == 1
    sentences = result.stderr.splitlines()
    assert [sentence.partition(": read")[0] for sentence in sentences[1:]] == [
        "error: mystery 9.9 (development): Sourced Available 3 is not on the list",
        "error: silence 9.9 (development): no licence in its metadata is not on the list",
    ]
    assert sentences[0].startswith("error: hoarder 9.9 (development): AGPL-3.0-or-later is never allowed")
    assert not (tmp_path / "licences.json").exists()


@pytest.mark.parametrize("licence", FORBIDDEN)
def test_some_licences_pass_by_no_entry(licence: str, tmp_path: Path) -> None:
    with pytest.raises(LicenceError, match="never allowed"):
        judge(package(licence), policy(hoarder={"says": licence, "licence": "MIT", "reason": "asked kindly"}))
    for entry in (
        {"allowed": [licence], "spellings": {}, "packages": {}},
        {"allowed": [], "spellings": {"Free as in beer": licence}, "packages": {}},
        {"allowed": [], "spellings": {}, "packages": {"hoarder": {"says": "x", "licence": licence, "reason": "x"}}},
    ):
        (tmp_path / "licences.yaml").write_text(yaml.safe_dump(entry))
        with pytest.raises(LicenceError, match="never allowed"):
            read_policy(tmp_path / "licences.yaml")


@pytest.mark.parametrize(
    "licence", ["MIT", "MIT AND Apache-2.0", "MIT OR GPL-3.0-only", "Apache-2.0 WITH LLVM-exception"]
)
def test_expressions_are_read_as_spdx_means_them(licence: str) -> None:
    assert judge(package(licence), policy()).licence == licence


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT WITH strings-attached", "MIT and so on", ""]
)
def test_what_is_not_allowed_throughout_is_refused(licence: str) -> None:
    with pytest.raises(LicenceError, match="not on the list"):
        judge(package(licence), policy())


def test_a_classifier_counts_where_the_field_is_the_licences_text() -> None:
    found = read(field="Copyright 2020, somebody\n\nPermission is hereby granted", classifiers="MIT License")
    assert judge(found, policy()).licence == "MIT"


def test_an_expression_speaks_for_all() -> None:
    assert judge(read(expression="MIT", classifiers="Other/Proprietary License"), policy()).licence == "MIT"


@pytest.mark.parametrize(
    "metadata",
    [
        {"expression": "GPL-3.0-only", "classifiers": "MIT License"},
        {"expression": "LicenseRef-Elastic-2.0", "field": "MIT"},
        {"field": "GPLv3", "classifiers": "MIT License"},
        {"field": "MIT", "classifiers": "MIT License; GNU General Public License v3 (GPLv3)"},
    ],
    ids=lambda metadata: "; ".join(metadata.values()),
)
def test_a_package_that_calls_itself_two_things_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(LicenceError, match="not on the list"):
        judge(read(**metadata), policy())


@pytest.mark.parametrize(
    "field",
    ["MIT License\n\nThe server is under the GNU Affero General Public License", 'MIT\n"Commons Clause" Condition'],
    ids=["affero", "commons clause"],
)
def test_what_must_never_pass_is_looked_for_in_the_whole_text(field: str) -> None:
    with pytest.raises(LicenceError, match="never allowed"):
        judge(read(field=field, classifiers="MIT License"), policy())
    spared = policy().model_copy(update={"notices": frozenset({"hoarder"})})
    assert judge(read(field=field, classifiers="MIT License"), spared).licence == "MIT"
    with pytest.raises(LicenceError, match="never allowed"):
        judge(read(expression="AGPL-3.0-only"), spared)


def test_an_exception_does_not_cover_what_was_added_since() -> None:
    settled = policy(hoarder={"says": "MPL-2.0", "licence": "MPL-2.0", "reason": "used unchanged"})
    assert judge(read(field="MPL-2.0"), settled).licence == "MPL-2.0"
    with pytest.raises(LicenceError, match="look at it again"):
        judge(read(expression="GPL-3.0-only", field="MPL-2.0"), settled)


@pytest.mark.parametrize(
    ("settled", "found", "why"),
    [
        ({"says": "GPL", "licence": "MIT", "reason": "x"}, package("LGPL"), "look at it again"),
        ({"version": "9.8", "licence": "MIT", "reason": "x"}, package(), "look at it again"),
        ({"version": "9.9", "licence": "MIT", "reason": "x"}, package("GPL"), "look at it again"),
        (
            {"says": "EULA", "licence": "LicenseRef-E", "reason": "x", "development_only": True},
            package("EULA"),
            "become required",
        ),
    ],
    ids=["other words", "other version", "no longer silent", "required"],
)
def test_an_exception_holds_for_what_was_read(settled: dict[str, object], found: Package, why: str) -> None:
    with pytest.raises(LicenceError, match=why):
        judge(found, policy(hoarder=settled))


def test_an_exception_that_fits_gives_its_licence_and_why() -> None:
    settled = policy(hoarder={"version": "9.9", "licence": "MIT", "reason": "the text lies in the wheel"})
    assert judge(package(), settled).reason == "the text lies in the wheel"


@pytest.mark.parametrize("entry", [{}, {"says": "x", "version": "1"}], ids=["neither", "both"])
def test_an_exception_is_bound_to_words_or_a_version(entry: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="an exception gives"):
        policy(hoarder={"licence": "MIT", "reason": "x", **entry})


def test_no_entry_is_left_over() -> None:
    """An exception for what nobody installs any more, or that an identifier made superfluous, is to be deleted."""
    from ci.installed import installed

    packages, rules = installed(), read_policy()
    assert set(rules.packages) <= {each.name for each in packages}
    words = {text for each in packages for text in each.says}
    assert set(rules.spellings) <= words
    without = rules.model_copy(update={"packages": {}})
    refused = {sentence.split()[0] for sentence in check(packages, without)[1]}
    assert refused == set(rules.packages) & {each.name for each in packages}
