"""What a training run can be told, typed. `training/conf/*.yaml` fill it in; Hydra refuses a key that is not here."""

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from tasks import UnknownTaskError, get_task
from training.errors import ConfigError


@dataclass
class DataConfig:
    """Where the labelled pictures are and how subjects are divided."""

    root: str = MISSING
    held_out_share: float = 0.2
    validation_share: float = 0.1


@dataclass
class NetworkConfig:
    """Which architecture, and its channel counts from full to lowest resolution."""

    name: str = "unet"
    widths: list[int] = field(default_factory=lambda: [16, 32, 64])


@dataclass
class AugmentationConfig:
    """How strong each random change is; 0 switches it off."""

    scale: float = 0.2
    rotate_deg: float = 180.0
    colour: float = 0.3
    hue: float = 0.03
    gamma_percent: int = 30
    blur_sigma_px: float = 1.0
    noise_std: float = 0.03


@dataclass
class OptimiserConfig:
    """AdamW with a one-cycle learning rate that peaks at `learning_rate`."""

    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    dice_weight: float = 0.5


@dataclass
class TrainerConfig:
    """How long and on what. `threads` 0 leaves the choice to PyTorch."""

    epochs: int = 8
    crops_per_epoch: int = 400
    batch_size: int = 8
    crop_px: int = 256
    workers: int = 0
    threads: int = 0
    accelerator: str = "auto"
    precision: str = "32-true"


@dataclass
class TrackingConfig:
    """MLflow: a tracking URI (a local SQLite file by default) and the experiment's name."""

    uri: str = "sqlite:///build/mlflow.db"
    artifacts: str = "build/mlartifacts"
    experiment: str = "fovea"


@dataclass
class TrainingConfig:
    """Everything that a run is told. Its result lies in `out`."""

    task: str = "vessels"
    seed: int = 0
    out: str = "build/training"
    resume: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def register_schema() -> None:
    """Make the types known to Hydra, under the names that `conf/config.yaml` and its groups extend."""
    store = ConfigStore.instance()
    store.store(name="schema", node=TrainingConfig)


def check_config(config: TrainingConfig) -> None:
    """Refuse values that are typed correctly and still make no sense, before any data is read.

    Raises:
        ConfigError: names the key, its value and what it may be.
    """
    try:
        size_px = get_task(config.task).size_px
    except UnknownTaskError as error:
        raise ConfigError(str(error)) from error
    trainer, data = config.trainer, config.data
    _require(0 < data.held_out_share < 1, "data.held_out_share", data.held_out_share, "between 0 and 1")
    _require(0 < data.validation_share < 1, "data.validation_share", data.validation_share, "between 0 and 1")
    _require(config.optimiser.learning_rate > 0, "optimiser.learning_rate", config.optimiser.learning_rate, "positive")
    _require(0 <= config.optimiser.dice_weight <= 1, "optimiser.dice_weight", config.optimiser.dice_weight, "0 to 1")
    for name in ("epochs", "crops_per_epoch", "batch_size"):
        _require(getattr(trainer, name) >= 1, f"trainer.{name}", getattr(trainer, name), "at least 1")
    multiple = 2 ** len(config.network.widths)
    fits = 0 < trainer.crop_px <= size_px and trainer.crop_px % multiple == 0
    _require(fits, "trainer.crop_px", trainer.crop_px, f"a multiple of {multiple} up to {size_px}")


def _require(holds: bool, key: str, value: object, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {value}; it must be {allowed}")


def one_sentence(error: Exception) -> str:
    """Return what is wrong and with which key; the libraries append their own types' names."""
    override = getattr(error, "override", None)
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    keys = [line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")]
    hint = f"; key {keys[0]}, see training/config.py" if keys else ""
    return (f"{override}: " if override else "") + lines[0] + hint
