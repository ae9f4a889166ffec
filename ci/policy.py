"""Which licences are allowed: licences.yaml, read strictly, and what it makes of a package's metadata."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from license_expression import ExpressionError, Licensing, ParseError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ci.installed import Package

FILE = Path(__file__).parent / "licences.yaml"
# No exception may let these pass: a company that deploys this could not.
NEVER = re.compile(
    r"A-?GPL|Affero|\bBUSL\b|Business Source|SSPL|Server Side Public|[- ]NC\b|Non-?\s?Commercial|Commons[- ]Clause",
    re.IGNORECASE,
)
_LICENSING = Licensing()


class LicenceError(Exception):
    """A licence that is not allowed, or licences.yaml that cannot be used."""


class Settled(BaseModel):
    """What somebody found out about one package.

    Attributes:
        says: all of the metadata's words, joined by "; "; where they change, or another version says nothing, it is to
            be looked at again.
        version: of a package that says nothing.
        licence: SPDX expression.
        reason: why that is its licence, or why it may be used.
        development_only: whether it may not become a required dependency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    says: str | None = None
    version: str | None = None
    licence: str
    reason: str = Field(min_length=1)
    development_only: bool = False

    @model_validator(mode="after")
    def _bound(self) -> "Settled":
        if (self.says is None) == (self.version is None):
            raise ValueError("an exception gives `says`, or `version` where the metadata says nothing")
        return self


class Policy(BaseModel):
    """licences.yaml.

    Attributes:
        allowed: SPDX identifiers, for every dependency.
        spellings: metadata's words → SPDX expression.
        packages: canonical name → what was settled.
        notices: canonical names of packages whose metadata holds the notices of all that they vendor: what must never
            pass is looked for in what names their licence, not in those.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    allowed: frozenset[str]
    spellings: dict[str, str]
    packages: dict[str, Settled]
    notices: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _never(self) -> "Policy":
        for licence in (*self.allowed, *self.spellings.values(), *(each.licence for each in self.packages.values())):
            if NEVER.search(licence):
                raise ValueError(f"{licence} is never allowed, not even by exception")
        return self


@dataclass(frozen=True)
class Allowed:
    """An allowed package: its licence as an SPDX expression, and of an exception why."""

    package: Package
    licence: str
    reason: str = ""


def read_policy(path: Path = FILE) -> Policy:
    """Return the policy. Raises LicenceError."""
    try:
        return Policy(**yaml.safe_load(path.read_text()))
    except (OSError, TypeError, yaml.YAMLError, ValidationError) as error:
        raise LicenceError(f"{path} cannot be used: {error}") from error


def judge(package: Package, policy: Policy) -> Allowed:
    """Return the package's licence. Raises LicenceError: it is unknown, or not allowed."""
    said = "; ".join(package.says) or "no licence in its metadata"
    if NEVER.search(said if package.name in policy.notices else package.text):
        raise _refused(package, said, "is never allowed, not even by exception; take another package")
    if settled := policy.packages.get(package.name):
        return _by_exception(package, settled)
    licences = [policy.spellings.get(text, text) for text in package.says]
    # All that name one: a package that calls itself two things is to be looked at.
    if licences and all(_permits(licence, policy.allowed) for licence in licences):
        return Allowed(package, licences[0])
    raise _refused(package, said, f"is not on the list: read its licence and settle it in ci/{FILE.name}")


def _by_exception(package: Package, settled: Settled) -> Allowed:
    words = "; ".join(package.says)
    fits = settled.says == words if settled.says else not words and settled.version == package.version
    said = words or "no licence in its metadata"
    if not fits:
        raise _refused(package, said, f"is not what its exception in ci/{FILE.name} is for: look at it again")
    if settled.development_only and package.required:
        raise _refused(package, settled.licence, "is allowed for development only, and it has become required")
    return Allowed(package, settled.licence, settled.reason)


def _refused(package: Package, licence: str, why: str) -> LicenceError:
    scope = "required" if package.required else "development"
    return LicenceError(f"{package.name} {package.version} ({scope}): {licence} {why}")


def _permits(licence: str, allowed: frozenset[str]) -> bool:
    """Return whether all parts of an expression are allowed, of alternatives one."""
    try:
        tree = _LICENSING.parse(licence)
    except (ExpressionError, ParseError):
        return False
    return tree is not None and _holds(tree, allowed)


def _holds(tree: object, allowed: frozenset[str]) -> bool:
    if isinstance(tree, _LICENSING.OR):
        return any(_holds(part, allowed) for part in tree.args)
    if isinstance(tree, _LICENSING.AND):
        return all(_holds(part, allowed) for part in tree.args)
    return str(tree) in allowed
