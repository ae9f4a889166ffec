"""Under which conditions something was measured, as the facts at a page's end."""

from collections.abc import Mapping
from typing import Any


def facts_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The load, the machine and the endpoints of a document, by name; what it does not have is left out."""
    facts = {name.replace("_", " "): _text(value) for name, value in document.get("load", {}).items()}
    for name, value in document.get("machine", {}).items():
        facts[f"machine: {name}".replace("_", " ")] = _text(value)
    return {name: text for name, text in facts.items() if text}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if _text(each))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
