"""What a training run can be told, typed. `training/conf/*.yaml` fill it in; Hydra refuses a key that is not here."""

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class DataConfig:
    """Where the labelled pictures are and how subjects are divided.

    Attributes:
        root: a published folder or a Deep Lake dataset that `ingest` wrote.
        source: the folder's layout; recognised if null.
        folds: into how many groups the subjects are divided, where the dataset does not say it.
        held_out_fold: which one judges; counted from 0, or from the end if negative.
        official_test: what becomes of the subjects that the publisher keeps for testing: `held_out` judges on them
            instead of on a fold, `left_out` touches them in no way.
        validation_share: share of the other subjects that steers the training; 0 trains on all of them.
        sampler: `shuffle`; `balanced`: every class equally often; `sqrt`: as often as the square root of its share
            (classification).
    """

    root: str = MISSING
    source: str | None = None
    folds: int = 5
    held_out_fold: int = -1
    official_test: str = "held_out"
    validation_share: float = 0.1
    sampler: str = "shuffle"
    memory_mb: int = 8000


@dataclass
class NetworkConfig:
    """Which architecture, and its channel counts from the highest to the lowest resolution.

    Attributes:
        name: a key of `training.networks.NETWORKS`.
        widths: channel counts.
        depths: convolutions (`unet`'s encoder) or residual blocks (`resunet`) at each of them; two or one if empty.
        decoder_depth: convolutions at each resolution of `unet`'s decoder.
        stride: of the stem of `unet` and `resunet`; 2 or 4.
        dropout: before a classifier's last layer; of `unet`'s features, in squares. 0 for the others.
        symmetry: over how many mirrored and turned copies `unet` shares its kernels; 1, 4 or 8.
        architecture, encoder: of segmentation_models_pytorch, for `name: smp`.
    """

    name: str = "unet"
    widths: list[int] = field(default_factory=lambda: [16, 32, 64])
    depths: list[int] = field(default_factory=list)
    decoder_depth: int = 1
    stride: int = 2
    dropout: float = 0.0
    symmetry: int = 1
    architecture: str = "Unet"
    encoder: str = "resnet18"


@dataclass
class LossConfig:
    """What training minimises.

    Attributes:
        name: a key of `training.losses.LOSSES`.
        dice_weight: share of soft Dice beside cross-entropy.
        cldice_weight: share of clDice within the overlap part.
        tversky_alpha, tversky_beta: weight of false positives and false negatives.
        focal_gamma: exponent of the focal Tversky loss.
        label_smoothing: 0–1, for cross-entropy over classes.
        class_weights: `none`, `sqrt` or `inverse` of the class frequency in the training part.
    """

    name: str = "bce_dice"
    dice_weight: float = 0.5
    cldice_weight: float = 0.5
    tversky_alpha: float = 0.3
    tversky_beta: float = 0.7
    focal_gamma: float = 0.75
    label_smoothing: float = 0.0
    class_weights: str = "none"


@dataclass
class AugmentationConfig:
    """How strong each random change is; 0 switches it off.

    Attributes:
        scale: relative change of size, up or down.
        rotate_deg: largest angle, either way.
        shift: relative change of place (before the crop).
        warp: how far the cells of a grid of five by five are stretched or squeezed, relative to their size.
        flip: mirror left-right and up-down, each half of the time.
        brightness: largest shift of all channels, relative to the full range: more than 0.15 blackens a dark retina.
        colour: largest change of contrast; half of it of each channel by itself.
        hue: as ColorJitter's, which then changes brightness, contrast and saturation as well; it is slow.
        gamma_percent: largest change of the gamma exponent.
        illumination: largest relative brightness difference across the picture.
        blur_sigma_px, noise_std: of a Gaussian; the noise's relative to the full range.
        mixup: alpha of the Beta distribution that mixes pairs of a batch (classification).
    """

    scale: float = 0.2
    rotate_deg: float = 180.0
    shift: float = 0.0
    warp: float = 0.0
    flip: bool = True
    brightness: float = 0.15
    colour: float = 0.3
    hue: float = 0.03
    gamma_percent: int = 30
    illumination: float = 0.0
    blur_sigma_px: float = 1.0
    noise_std: float = 0.03
    mixup: float = 0.0


@dataclass
class OptimiserConfig:
    """`adamw` or `sgd` (with Nesterov momentum), at a peak rate of `learning_rate`."""

    name: str = "adamw"
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9


@dataclass
class ScheduleConfig:
    """Linear warm-up over a share of the steps, then a cosine down to `final_ratio` of the peak."""

    warmup_share: float = 0.1
    final_ratio: float = 0.01


@dataclass
class TrainerConfig:
    """How long and on what.

    Attributes:
        epochs: of `crops_per_epoch` random crops each; a crop of a picture that is fitted to the network's size.
        crop_px: side of the crop; the network's own size takes whole pictures. A classification is scaled instead.
        early_px: sides for earlier, equally long parts of the training: small pictures teach the coarse things faster.
        workers: processes that prepare crops; 0 prepares them between the steps.
        threads: of PyTorch; 0 leaves the choice to it.
        accelerator, devices, strategy, precision: as Lightning names them.
        accumulate: batches whose gradients make one step.
        clip_norm: largest gradient norm; 0 leaves it.
        ema_decay: of the average of the weights that is judged and kept; 0 keeps the last step's.
        patience: epochs without a better validation score after which training stops, with the best epoch's weights;
            0 trains to the end and keeps the last ones.
    """

    epochs: int = 8
    crops_per_epoch: int = 400
    batch_size: int = 8
    crop_px: int = 256
    early_px: list[int] = field(default_factory=list)
    workers: int = 0
    threads: int = 0
    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    accumulate: int = 1
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    patience: int = 0


@dataclass
class EvaluationConfig:
    """How the held-out pictures are judged.

    Attributes:
        tta: whether `crossvalidate` averages the answers over the picture and its mirror images. A run's own figures
            are always those of the network as it is served: without.
        resamples: bootstrap resamples of the subjects for the 95 % intervals; 0 leaves them out.
    """

    tta: bool = False
    resamples: int = 1000


@dataclass
class TrackingConfig:
    """Where runs are recorded.

    Attributes:
        name: `mlflow`, `wandb` or `none`.
        uri: MLflow's, a local SQLite file by default.
        artifacts: MLflow's, for a local database.
        experiment: name of the experiment (MLflow) or project (Weights & Biases).
        register: whether the model becomes a version of MLflow's registry, with the alias `challenger`.
        mode: of Weights & Biases: `offline` or `online`.
        folder: of Weights & Biases' local files.
    """

    name: str = "mlflow"
    uri: str = "sqlite:///build/mlflow.db"
    artifacts: str = "build/mlartifacts"
    experiment: str = "fovea"
    register: bool = False
    mode: str = "offline"
    folder: str = "build/wandb"


@dataclass
class TrainingConfig:
    """Everything that a run is told. Its result lies in `out`."""

    task: str = "vessels"
    seed: int = 0
    out: str = "build/training"
    resume: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def register_schema() -> None:
    """Make the types known to Hydra, under the names that `conf/config.yaml` and its groups extend."""
    store = ConfigStore.instance()
    store.store(name="schema", node=TrainingConfig)


def one_sentence(error: Exception) -> str:
    """Return what is wrong and with which key; the libraries append their own types' names."""
    override = getattr(error, "override", None)
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    keys = [line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")]
    hint = f"; key {keys[0]}, see training/config.py" if keys else ""
    return (f"{override}: " if override else "") + lines[0] + hint
