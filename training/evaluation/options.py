"""What `python -m training evaluate` can be told, typed."""

from dataclasses import dataclass

from tasks import Kind, UnknownTaskError, get_task
from training.errors import ConfigError
from training.words import only_options


@dataclass
class EvaluationOptions:
    """A call of `evaluate`.

    Attributes:
        task: name of the task.
        root: a published folder or a Deep Lake dataset.
        model: a model folder, or the stem of a shipped pair; `weights/<task>` if null.
        source: the folder's layout; recognised if null.
        tta: average the answers over the picture and its mirror images.
        subjects: `unseen` leaves out everybody that the model was trained on; `all` judges on them too.
        normalise: `none`, or `colour_and_framing` for classified fundus pictures.
        resamples: bootstrap resamples of the subjects; 0 leaves the intervals out.
        seed: of the bootstrap.
        out: folder for pictures and metrics.json; `build/evaluation/<task>` if null.
    """

    task: str = ""
    root: str = ""
    model: str | None = None
    source: str | None = None
    tta: bool = False
    subjects: str = "unseen"
    normalise: str = "none"
    resamples: int = 1000
    seed: int = 0
    out: str | None = None


def read_options(words: list[str]) -> EvaluationOptions:
    """Return the options of `key=value` words.

    Raises:
        ConfigError: a word that is none, a key that does not exist, or a value that does not fit.
    """
    options = only_options(words, EvaluationOptions)
    _check(options)
    return options


def _check(options: EvaluationOptions) -> None:
    if not options.task or not options.root:
        raise ConfigError("evaluate needs task=<name> and root=<data folder>")
    try:
        task = get_task(options.task)
    except UnknownTaskError as error:
        raise ConfigError(str(error)) from error
    _one_of("subjects", options.subjects, ("unseen", "all"))
    _one_of("normalise", options.normalise, ("none", "colour_and_framing"))
    if options.normalise != "none" and task.kind is not Kind.CLASSIFICATION:
        raise ConfigError(f"normalise={options.normalise} would move the masks of {task.name}; leave it out")
    if not 0 <= options.resamples <= 100_000:
        raise ConfigError(f"resamples={options.resamples} must be 0 to 100000")


def _one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{key}={value} must be one of {', '.join(choices)}")
