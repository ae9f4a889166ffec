"""dvc.yaml is held to the code: every command is a front door that takes its keys, every file comes from somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from export.config import load_config as load_export
from tasks import TASKS
from training.command import load_config as load_training
from training.ingest import IngestConfig, report_path
from training.sources import SOURCES
from training.words import only_options

ROOT = Path(__file__).parents[2]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())


def resolved(text: str) -> str:
    """Put the parameters in, as DVC does; a parameter that is not there is a KeyError."""

    def value(match: re.Match[str]) -> str:
        found: Any = PARAMS
        for key in match[1].split("."):
            found = found[key]
        return str(found)

    return re.sub(r"\$\{([^}]+)\}", value, text)


STAGES: dict[str, Any] = yaml.safe_load(resolved((ROOT / "dvc.yaml").read_text()))["stages"]


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def made_by(stage: str) -> list[str]:
    return paths(STAGES[stage].get("outs", []) + STAGES[stage].get("metrics", []))


def words(stage: str) -> list[str]:
    python, flag, module, *rest = shlex.split(STAGES[stage]["cmd"])
    assert (python, flag) == (".venv/bin/python", "-m")
    assert (ROOT / module / "__main__.py").is_file()
    return [module, *rest]


def test_order_is_ingest_train_export() -> None:
    assert list(STAGES) == ["ingest", "train", "export"]


def test_ingest_door_takes_its_words() -> None:
    module, command, *rest = words("ingest")
    assert (module, command) == ("training", "ingest")
    config = only_options(rest, IngestConfig)
    assert config.task in TASKS
    assert config.source in SOURCES
    assert config.root in STAGES["ingest"]["deps"]
    assert made_by("ingest") == [str(config.path), str(report_path(config.path))]


def test_train_door_takes_its_words() -> None:
    module, *rest = words("train")
    assert module == "training"
    config = load_training(rest)
    assert config.data.root in made_by("ingest")
    ingested = only_options(words("ingest")[2:], IngestConfig)
    assert config.data.folds == ingested.fold_count, "a dataset is read with as many folds as it was written with"
    assert config.data.held_out_fold == PARAMS["train"]["held_out_fold"]
    assert all(path.startswith(f"{config.out}/") for path in made_by("train"))


def test_export_door_takes_its_words() -> None:
    module, *rest = words("export")
    assert module == "export"
    config = load_export(rest)
    assert all(path.startswith(f"{config.model}/") for path in made_by("train"))
    assert made_by("export") == [f"{config.work}/{config.task}/parity.json"]


def test_every_dependency_is_in_the_checkout_or_made_before() -> None:
    made = {PARAMS["ingest"]["root"]}
    for name, stage in STAGES.items():
        for dependency in stage["deps"]:
            assert dependency in made or (ROOT / dependency).exists(), f"{name} needs {dependency}"
        assert not made & set(made_by(name)), f"{name} makes what another stage makes"
        made |= set(made_by(name))


def test_every_parameter_of_a_command_is_watched() -> None:
    raw = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in raw.items():
        used = {match.split(".")[0] for match in re.findall(r"\$\{([^}]+)\}", stage["cmd"])}
        assert used == set(stage["params"]), name
