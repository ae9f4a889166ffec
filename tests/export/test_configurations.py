"""What `verify` says of a release's configurations: every one is parsed, and what it names is there."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from tritonclient.grpc import model_config_pb2

from export.__main__ import main
from export.configurations import check_configurations, parse_text
from export.errors import PlaceError
from export.place import place, verify
from tasks.checksums import write_checksums

CONFIGS = sorted((Path(__file__).parents[2] / "model_repository").rglob("*.pbtxt"))
MADE = {"formats": ["torchscript", "onnx"], "parity": [], "weights_sha256": "0" * 64, "run_id": ""}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release whose artefacts hold nothing: only their names matter here."""
    artefacts = {name: tmp_path / name for name in ("model.onnx", "model.pt")}
    for path in artefacts.values():
        path.write_bytes(b"weights")
    return place("vessels", artefacts, MADE, tmp_path / "repository")


def plain(message: Message) -> dict[str, Any]:
    """What the real message types make of the text, as far as the text can tell: names and values."""

    def value(found: Any) -> Any:
        return plain(found) if isinstance(found, Message) else found

    fields = {}
    for field, found in message.ListFields():
        repeated = field.is_repeated
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fields[field.name] = [{"key": [key], "value": [value(found[key])]} for key in found]
        else:
            fields[field.name] = [value(each) for each in found] if repeated else [value(found)]
    return fields


def names(fields: dict[str, Any]) -> Iterable[tuple[str, int]]:
    """Every field with how often it stands there, at any depth: enumerations and numbers are told as text here."""
    for name, values in fields.items():
        yield name, len(values)
        for value in values:
            yield from names(value) if isinstance(value, dict) else []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_reads_what_the_message_types_read(path: Path) -> None:
    text = path.read_text()
    found, real = parse_text(text), plain(text_format.Parse(text, model_config_pb2.ModelConfig()))
    # A field at its default, such as max_batch_size: 0, is none to the message.
    said = {pair for pair in names(found) if pair[0] not in ("max_batch_size", "dynamic_batching")}
    assert said == {pair for pair in names(real) if pair[0] not in ("max_batch_size", "dynamic_batching")}
    assert found["name"] == real["name"]
    assert found.get("default_model_filename") == real.get("default_model_filename")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('name: "a" "b"', {"name": ["ab"]}),
        ("a: [1, -2.5, KIND] a: 0x10; b <c: 'd'>, # why", {"a": ["1", "-2.5", "KIND", "0x10"], "b": [{"c": ["d"]}]}),
        ("a [ {b: true}, {} ] c: []", {"a": [{"b": ["true"]}, {}], "c": []}),
        ("", {}),
    ],
)
def test_text_format(text: str, fields: dict[str, Any]) -> None:
    assert parse_text(text) == fields


@pytest.mark.parametrize(
    "text", ['name "a"', 'name: "a', "a {", "a }", "a: [1 2]", "a: [1,", "a:", "a: ?", ": 1", "a: {b: 1]"]
)
def test_what_is_no_text_format_is_refused(text: str) -> None:
    with pytest.raises(text_format.ParseError):
        parse_text(text)


def test_verify_tells_how_many_were_parsed(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_configurations(release, verify(release)) == len([path for path in CONFIGS if "vessels" in str(path)])
    assert main(["verify", str(release)]) == 0
    assert "7 configurations parsed" in capsys.readouterr().out


def drop_a_bracket(text: str) -> str:
    return text.rstrip().removesuffix("]")


def nest_without_end(_: str) -> str:
    return "a {" * 100_000


@pytest.mark.parametrize(
    ("file_name", "change", "said"),
    [
        ("vessels_network/configs/tensorrt.pbtxt", drop_a_bracket, "cannot be parsed"),
        ("vessels_network/config.pbtxt", nest_without_end, "cannot be parsed"),
        ("vessels_network/config.pbtxt", lambda text: text.replace("_network", "_netwrk"), 'name: "vessels_network"'),
        ("vessels_network/config.pbtxt", lambda text: text.replace(".onnx", ".onxx"), "names .*onxx, which is missing"),
        ("vessels/config.pbtxt", lambda text: text.replace("_postp", "_post_p"), "names .*_post_p.*, which is missing"),
    ],
)
def test_broken_configuration_is_named(
    release: Path, capsys: pytest.CaptureFixture[str], file_name: str, change: Any, said: str
) -> None:
    """It was broken before it was sealed, so its checksum is right."""
    path = release / file_name
    path.write_text(change(path.read_text()))
    write_checksums(release)
    with pytest.raises(PlaceError, match=f"^{file_name} .*{said}") as caught:
        check_configurations(release, verify(release))
    assert "\n" not in str(caught.value)
    assert main(["verify", str(release)]) == 1
    assert file_name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file_name", "said"),
    [
        ("vessels_network/1/model.pt", r"configs/torchscript\.pbtxt names .*model\.pt, which is missing"),
        ("vessels_preprocess/1/model.py", r"vessels_preprocess/config\.pbtxt names .*model\.py, which is missing"),
    ],
)
def test_missing_file_is_named(release: Path, file_name: str, said: str) -> None:
    (release / file_name).unlink()
    provenance = json.loads((release / "provenance.json").read_text())
    with pytest.raises(PlaceError, match=said):
        check_configurations(release, provenance)


def test_format_that_was_not_exported_may_be_missing(release: Path) -> None:
    provenance = verify(release)
    provenance["tasks"]["vessels"]["formats"] = ["onnx"]
    (release / "vessels_network" / "1" / "model.pt").unlink()
    check_configurations(release, provenance)
