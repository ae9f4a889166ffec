"""Read the configurations of a release again: their syntax, and whether the files and models that they name are there.

Field names and types are the contract tests' part: the message types belong to the client's library, which export does
not import.
"""

from pathlib import Path
from typing import Any

from google.protobuf.text_format import ParseError, Tokenizer

from export.errors import PlaceError
from export.formats import FORMATS

_BRACKETS = {"{": "}", "<": ">"}
_END_OF_FILE = ""

# Field → its values, in the order of the file; a message is again such a dictionary.
Fields = dict[str, list[Any]]


def check_configurations(release: Path, provenance: dict[str, Any]) -> int:
    """Read every `config.pbtxt` and `configs/<profile>.pbtxt`, and return how many there are.

    Args:
        release: a placed release, whose checksums were found to be right.
        provenance: its own.

    Raises:
        PlaceError: names the file that is no protobuf text, has another model's name, or names a file or model that is
            not in the release. The file of a format that was not exported may be missing, and plans are built later.
    """
    paths = [*release.glob("*/config.pbtxt"), *release.glob("*/configs/*.pbtxt")]
    for path in sorted(paths):
        said = path.relative_to(release)
        model = release / said.parts[0]
        fields = _read(path, said)
        if fields.get("name") != [model.name]:
            raise PlaceError(f'{said} does not say name: "{model.name}"; export the task again')
        made = provenance["tasks"].get(model.name.removesuffix("_network"), {})
        for needed in _needed(fields, model, _left_out(made.get("formats", []))):
            if not needed.is_file():
                raise PlaceError(f"{said} names {needed}, which is missing; export the task again")
    return len(paths)


def parse_text(text: str) -> Fields:
    """Return a message of protobuf's text format, of any type.

    Raises:
        google.protobuf.text_format.ParseError: says line, column and what was expected.
    """
    return _message(Tokenizer(text.splitlines()), _END_OF_FILE)


def _read(path: Path, said: Path) -> Fields:
    try:
        return parse_text(path.read_text())
    # The last is raised by brackets within brackets without an end.
    except (ParseError, UnicodeDecodeError, RecursionError) as error:
        raise PlaceError(f"{said} cannot be parsed ({error}); export the task again") from error


def _left_out(formats: list[str]) -> set[str]:
    """Return the files of the formats that were not exported."""
    return {each.file_name for name, each in FORMATS.items() if name not in formats}


def _needed(fields: Fields, model: Path, left_out: set[str]) -> list[Path]:
    """Return what the server will look for: the steps of an ensemble, the code of a Python model, or an artefact."""
    steps = [step for each in _messages(fields, "ensemble_scheduling") for step in _messages(each, "step")]
    named = _words(fields, "default_model_filename") or ["model.py"] * (fields.get("backend") == ["python"])
    return [
        *(model.parent / name / "config.pbtxt" for step in steps for name in _words(step, "model_name")),
        *(model / "1" / name for name in named if name not in left_out),
    ]


def _messages(fields: Fields, name: str) -> list[Fields]:
    return [value for value in fields.get(name, []) if isinstance(value, dict)]


def _words(fields: Fields, name: str) -> list[str]:
    return [value for value in fields.get(name, []) if isinstance(value, str)]


def _message(tokens: Tokenizer, end: str) -> Fields:
    fields: Fields = {}
    while not tokens.TryConsume(end):
        name = tokens.ConsumeIdentifier()
        fields.setdefault(name, []).extend(_values(tokens, after_colon=tokens.TryConsume(":")))
        if not tokens.TryConsume(","):
            tokens.TryConsume(";")
    return fields


def _values(tokens: Tokenizer, *, after_colon: bool) -> list[Any]:
    """Return the value of a field, or those of a list. Only messages may come without a colon."""
    if not tokens.TryConsume("["):
        return [_value(tokens, after_colon=after_colon)]
    values: list[Any] = []
    while not tokens.TryConsume("]"):
        if values:
            tokens.Consume(",")
        values.append(_value(tokens, after_colon=after_colon))
    return values


def _value(tokens: Tokenizer, *, after_colon: bool) -> Any:
    for opening, closing in _BRACKETS.items():
        if tokens.TryConsume(opening):
            return _message(tokens, closing)
    if not after_colon:
        tokens.Consume(":")  # raises: it is not there
    said = str(tokens.token)
    if said.startswith(("'", '"')):
        return tokens.ConsumeString()
    if not (tokens.TryConsumeIdentifier() or tokens.TryConsumeInteger()):
        tokens.ConsumeFloat()
    return said
