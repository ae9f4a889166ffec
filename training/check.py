"""Values that are typed correctly and still make no sense are refused before any data is read."""

import sys

from tasks import Kind, TaskSpec, UnknownTaskError, get_task
from training.config import TrainingConfig
from training.errors import ConfigError
from training.losses import LOSSES
from training.networks import build_network
from training.networks.symmetry import share

_CHOICES = {
    "data.official_test": ("held_out", "left_out"),
    "data.sampler": ("shuffle", "balanced", "sqrt"),
    "loss.name": tuple(LOSSES),
    "loss.class_weights": ("none", "sqrt", "inverse"),
    "optimiser.name": ("adamw", "sgd"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.strategy": ("auto", "ddp"),
    "trainer.precision": ("32-true", "bf16-mixed", "16-mixed"),
    "tracking.name": ("mlflow", "wandb", "none"),
    "tracking.mode": ("offline", "online"),
}
# What a number may be at most where nothing else limits it: anything but infinity.
_LARGEST = sys.float_info.max
# key → lowest and highest value that make sense; None is no limit.
_RANGES: dict[str, tuple[float, float | None]] = {
    "seed": (0, 2**32 - 1),
    "data.folds": (2, None),
    "data.validation_share": (0, 0.9),
    "data.memory_mb": (0, None),
    "network.dropout": (0, 0.99),
    "loss.dice_weight": (0, 1),
    "loss.cldice_weight": (0, 1),
    "loss.tversky_alpha": (0, None),
    "loss.tversky_beta": (0, None),
    "loss.focal_gamma": (0.1, None),
    "loss.label_smoothing": (0, 0.5),
    "augmentation.scale": (0, 0.9),
    "augmentation.rotate_deg": (0, 180),
    "augmentation.shift": (0, 0.5),
    "augmentation.warp": (0, 0.9),
    "augmentation.brightness": (0, 1),
    "augmentation.colour": (0, 1),
    "augmentation.hue": (0, 0.5),
    "augmentation.gamma_percent": (0, 90),
    "augmentation.illumination": (0, 0.2),
    "augmentation.blur_sigma_px": (0, 20),
    "augmentation.noise_std": (0, 1),
    "augmentation.mixup": (0, None),
    "optimiser.learning_rate": (1e-8, None),
    "optimiser.weight_decay": (0, None),
    "optimiser.momentum": (0, 0.999),
    "schedule.warmup_share": (0, 0.9),
    "schedule.final_ratio": (0, 1),
    "trainer.epochs": (1, None),
    "trainer.crops_per_epoch": (1, None),
    "trainer.batch_size": (1, None),
    "trainer.workers": (0, 256),
    "trainer.threads": (0, 1024),
    "trainer.devices": (1, 1024),
    "trainer.accumulate": (1, None),
    "trainer.clip_norm": (0, None),
    "trainer.ema_decay": (0, 0.99999),
    "trainer.patience": (0, None),
    "evaluation.resamples": (0, 100_000),
}


def check_config(config: TrainingConfig) -> None:
    """Refuse what cannot be trained.

    Raises:
        ConfigError: names the key, its value and what it may be.
    """
    try:
        task = get_task(config.task)
    except UnknownTaskError as error:
        raise ConfigError(str(error)) from error
    for key, choices in _CHOICES.items():
        _require(_value(config, key) in choices, key, _value(config, key), "one of " + ", ".join(choices))
    for key, (lowest, highest) in _RANGES.items():
        value = _value(config, key)
        fits = isinstance(value, int | float) and lowest <= value <= (_LARGEST if highest is None else highest)
        _require(fits, key, value, f"at least {lowest}" + ("" if highest is None else f" and at most {highest}"))
    _check_task(config, task)


def _check_task(config: TrainingConfig, task: TaskSpec) -> None:
    fitting = [name for name, (_, kinds) in LOSSES.items() if task.kind in kinds]
    _require(config.loss.name in fitting, "loss.name", config.loss.name, f"for {task.name} one of {', '.join(fitting)}")
    network = share(build_network(config.network, task), config.network.symmetry)
    multiple = int(str(network.multiple))
    for key, crop_px in (
        ("crop_px", config.trainer.crop_px),
        *(("early_px", each) for each in config.trainer.early_px),
    ):
        fits = 0 < crop_px <= task.size_px and crop_px % multiple == 0
        _require(fits, f"trainer.{key}", crop_px, f"a multiple of {multiple} up to {task.size_px}")
    drops = config.network.name == "unet" or task.kind is Kind.CLASSIFICATION
    name, share_dropped = config.network.name, config.network.dropout
    _require(drops or share_dropped == 0, "network.dropout", share_dropped, f"0: {name} drops nothing when it segments")
    binary, whole = task.kind is Kind.BINARY_SEGMENTATION, task.kind is Kind.CLASSIFICATION
    weights, sampler = config.loss.class_weights, config.data.sampler
    _require(weights == "none" or not binary, "loss.class_weights", weights, f"none for {task.name}: it has one output")
    _require(sampler == "shuffle" or whole, "data.sampler", sampler, f"shuffle for {task.name}: it segments")
    steered = config.trainer.patience == 0 or config.data.validation_share > 0
    _require(steered, "trainer.patience", config.trainer.patience, "0 while data.validation_share is 0: nothing steers")
    fits = config.trainer.precision != "16-mixed" or config.trainer.accelerator == "gpu"
    _require(fits, "trainer.precision", "16-mixed", "bf16-mixed or 32-true unless trainer.accelerator=gpu")


def _value(config: object, key: str) -> object:
    for name in key.split("."):
        config = getattr(config, name)
    return config


def _require(holds: bool, key: str, value: object, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {value}; it must be {allowed}")
