"""What a retraining is made of, as one file in its folder: every step reads it there, on whatever machine it runs."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import PipelineError
from pipelines.output import write_json

FILE = "settings.json"


class Settings(BaseModel):
    """A retraining.

    Attributes:
        task: name of the task.
        data: labelled pictures, in a layout that `python -m training ingest` knows.
        source: the layout; recognised if null.
        test_set: a frozen test set.
        champion: the link to the champion.
        profile: serving profile that is judged.
        formats: of `python -m export`.
        training: further words of `python -m training`.
        ingest: further words of `python -m training ingest`.
        load_test: further words of `python -m loadtests run`.
        comparison: further words of `python -m loadtests compare`.
        latency: whether challenger and champion are compared in it.
        why: what set it off.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    data: Path
    source: str | None = None
    test_set: Path
    champion: Path
    profile: str = "default"
    formats: Annotated[tuple[str, ...], Field(min_length=1)] = ("torchscript", "onnx")
    training: tuple[str, ...] = ()
    ingest: tuple[str, ...] = ()
    load_test: tuple[str, ...] = ()
    comparison: tuple[str, ...] = ()
    latency: bool = True
    why: str = "asked for"


def read_settings(run: Path) -> Settings:
    """Return the settings of the retraining in a folder.

    Raises:
        PipelineError: there are none, or one of them is not possible.
    """
    return parse_settings((run / FILE), "start one with `python -m pipelines retrain`")


def parse_settings(path: Path, advice: str) -> Settings:
    """Return the settings in a JSON file.

    Raises:
        PipelineError: it is not readable, or says what is not possible; the sentence ends with `advice`.
    """
    try:
        return Settings.model_validate_json(path.read_text())
    except OSError as error:
        raise PipelineError(f"{path} cannot be read ({error.strerror}); {advice}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PipelineError(f"{path}: {key}: {first['msg']}; {advice}") from error


def write_settings(settings: Settings, run: Path) -> None:
    """Write the settings into the folder of a retraining, which is made if need be."""
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / FILE, settings.model_dump(mode="json"))
