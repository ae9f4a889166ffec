"""A wrong key or value is an error before any data is read; every shipped configuration is valid."""

from pathlib import Path

import pytest

from training.command import load_config
from training.config import check_config
from training.errors import ConfigError, TrainingError

CONF = Path(__file__).parents[2] / "training" / "conf"
GROUPS = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml"))]


@pytest.mark.parametrize(("group", "name"), GROUPS)
def test_every_shipped_configuration_is_valid(group: str, name: str) -> None:
    config = load_config([f"{group}={name}", "data.root=anywhere"])
    check_config(config)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data.rot=x", "rot"),
        ("trainer.epochs=many", "trainer.epochs"),
        ("network.widths=16", "network.widths"),
        ("trainer=nightly", "nightly"),
        ("seed=", "seed"),
        ("+new=1", "new"),
    ],
)
def test_wrong_key_or_type_is_named(override: str, named: str) -> None:
    with pytest.raises(TrainingError, match=named) as caught:
        load_config(["data.root=x", override])
    assert "\n" not in str(caught.value)


def test_data_folder_is_mandatory() -> None:
    with pytest.raises(TrainingError, match=r"data\.root"):
        load_config([])


@pytest.mark.parametrize(
    "override",
    [
        "data.held_out_share=1.5",
        "data.validation_share=0",
        "optimiser.learning_rate=-1",
        "optimiser.dice_weight=2",
        "trainer.epochs=0",
        "trainer.batch_size=0",
        "trainer.crop_px=100",
        "trainer.crop_px=1024",
        "task=vesels",
    ],
)
def test_impossible_value_is_refused(override: str) -> None:
    config = load_config(["data.root=x", override] if "task" not in override else ["data.root=x"])
    if "task" in override:
        config.task = "vesels"
    with pytest.raises(ConfigError):
        check_config(config)
