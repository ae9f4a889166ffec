"""A wrong key or value is an error before any data is read; every shipped configuration is valid."""

from dataclasses import asdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from shown import expanded

from tasks import TASKS
from training.check import check_config
from training.command import load_config
from training.config import TrainingConfig
from training.errors import ConfigError

CONF = Path(__file__).parents[2] / "training" / "conf"
# Search spaces are no group of a configuration; test_tune reads them.
GROUPS = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml")) if path.parent.name != "search"]
# What can only be trained on one kind of task is tried there.
TASK_OF = {
    ("loss", "cross_entropy"): "eye_disease",
    ("network", "classifier"): "eye_disease",
    ("loss", "cross_entropy_dice"): "dubai_aerial",
}


@pytest.mark.parametrize(("group", "name"), GROUPS)
def test_every_shipped_configuration_is_valid(group: str, name: str) -> None:
    task = TASK_OF.get((group, name), "vessels")
    words = [f"task={task}", "data.root=anywhere"]
    config = load_config([*words, f"{group}={name}"] if group != "task" else [f"task={name}", "data.root=anywhere"])
    check_config(config)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_configuration_and_a_search_space(task: str) -> None:
    config = load_config([f"task={task}", "data.root=anywhere"])
    assert config.task == task
    assert Path(config.out).name == task
    assert (CONF / "search" / f"{task}.yaml").is_file()


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data.rot=x", "rot"),
        ("trainer.epochs=many", "trainer.epochs"),
        ("network.widths=16", "network.widths"),
        ("trainer=nightly", "nightly"),
        ("seed=", "seed"),
        ("+new=1", "new"),
        ("~seed", "seed"),
    ],
)
def test_wrong_key_or_type_is_named(override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        load_config(["data.root=x", override])
    assert "\n" not in str(caught.value)


def test_data_folder_is_mandatory() -> None:
    with pytest.raises(ConfigError, match=r"data\.root"):
        load_config([])


@pytest.fixture(scope="module")
def valid() -> TrainingConfig:
    config = load_config(["data.root=x"])
    check_config(config)
    return config


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("data.folds=1", "data.folds"),
        ("seed=-1", "seed"),
        ("seed=5000000000", "seed"),
        ("augmentation.illumination=0.3", "augmentation.illumination"),
        ("trainer.patience=2", "trainer.patience"),
        ("data.validation_share=1", "data.validation_share"),
        ("data.sampler=weighted", "data.sampler"),
        ("data.official_test=ignored", "data.official_test"),
        ("optimiser.learning_rate=-1", "optimiser.learning_rate"),
        ("optimiser.learning_rate=nan", "optimiser.learning_rate"),
        ("optimiser.learning_rate=inf", "optimiser.learning_rate"),
        ("optimiser.name=adam", "optimiser.name"),
        ("loss.dice_weight=2", "loss.dice_weight"),
        ("loss.name=cross_entropy", "loss.name"),
        ("loss.name=dice", "loss.name"),
        ("trainer.epochs=0", "trainer.epochs"),
        ("trainer.batch_size=0", "trainer.batch_size"),
        ("trainer.devices=0", "trainer.devices"),
        ("trainer.precision=8", "trainer.precision"),
        ("trainer.precision=16-mixed", "trainer.precision"),
        ("trainer.crop_px=100", "trainer.crop_px"),
        ("trainer.crop_px=1024", "trainer.crop_px"),
        ("trainer.strategy=fsdp", "trainer.strategy"),
        ("tracking.name=tensorboard", "tracking.name"),
        ("network.name=vit", "vit"),
        ("network.symmetry=3", "network.symmetry"),
        ("network.widths=[]", "network.widths"),
    ],
)
def test_impossible_value_is_refused(valid: TrainingConfig, override: str, key: str) -> None:
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(valid), OmegaConf.from_dotlist([override])))
    assert isinstance(config, TrainingConfig)
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")) as caught:
        check_config(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", ["wnet", "classifier", "resunet"])
def test_a_network_that_drops_nothing_refuses_to_be_told_how_much(network: str) -> None:
    config = load_config(["task=vessels", "data.root=x", f"network={network}", "network.dropout=0.1"])
    with pytest.raises(ConfigError, match=r"network\.dropout is 0\.1; it must be 0"):
        check_config(config)


def test_unknown_task_is_named() -> None:
    config = load_config(["data.root=x"])
    config.task = "vesels"
    with pytest.raises(ConfigError, match="vesels"):
        check_config(config)


def turns() -> list[dict[str, str]]:
    """One file of every group a turn, until every file had its turn."""
    files: dict[str, list[str]] = {}
    for group, name in GROUPS:
        if group not in ("task", "trainer"):
            files.setdefault(group, []).append(name)
    longest = max(map(len, files.values()))
    return [{group: names[turn % len(names)] for group, names in files.items()} for turn in range(longest)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("files", turns(), ids=lambda files: "-".join(files.values()))
def test_chosen_file_of_a_group_wins_over_the_task(task: str, files: dict[str, str]) -> None:
    """A task chooses files of groups and changes none of their values: `network=wnet` is the same W-Net for all."""
    words = [f"{group}={name}" for group, name in files.items()]
    config = load_config([f"task={task}", "data.root=anywhere", *words])
    for group, name in files.items():
        chosen = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))
        assert isinstance(chosen, dict)
        found = asdict(getattr(config, group))
        assert {key: found[key] for key in chosen} == chosen, group


@pytest.mark.parametrize("path", ["/x/aé", "/x/a=b", "/x/a b'c", "/x/{a}", "/x/${y}", "/x/back\\slash", "plain/x-1.2"])
def test_paths_are_taken_as_they_stand(path: str) -> None:
    config = load_config([f"data.root={path}", f"out={path}", f"resume={path}"])
    assert (config.data.root, config.out, config.resume) == (path, path, path)


@pytest.mark.parametrize("target", ["train", "retrain"])
def test_what_make_trains_is_recorded_below_build(target: str) -> None:
    words = expanded(f"make {target} DATA=photos 'BUILD=/a folder'")[-1]
    ours = [word.removeprefix("--training=") for word in words if target == "train" or word.startswith("--training=")]
    config = load_config(["data.root=photos", *(word for word in ours if "=" in word)])
    assert config.tracking.uri == "sqlite:////a folder/mlflow.db"
    assert config.tracking.artifacts == "/a folder/mlartifacts"
