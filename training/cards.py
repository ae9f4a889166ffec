"""`python -m training card`: a shipped weight's page in the documentation, made of files that other commands wrote."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image
from rich.console import Console

from tasks import Kind, TaskSpec, UnknownTaskError, get_task
from training.errors import ConfigError, TrainingError
from training.evaluation.pictures import RANKED_BY
from training.evaluation.report import METRICS_FILE
from training.experiments.crossvalidation import recipe
from training.weights import WEIGHTS_FILE, ModelCard, load_card
from training.words import as_typed, only_options

_TEMPLATE = Path(__file__).with_name("card.md.j2")
# Published sets whose pictures may be shown: task → name of the set → its layout, and its attribution and licence.
PUBLISHABLE = {
    "vessels": {"chase_db1": ("chase_db1", "CHASE_DB1 (Fraz et al. 2012), CC BY 4.0")},
    "eye_disease": {
        "kaggle_eye_diseases": (
            "class_folders",
            "the public four-class eye disease set on Kaggle, ODbL 1.0; its sources have own terms",
        )
    },
    "dubai_aerial": {
        "dubai_mbrsc": ("dubai_aerial", "Semantic segmentation of aerial imagery (Humans in the Loop / MBRSC), CC0")
    },
}
_MEDICAL = ("vessels", "eye_disease")
_PICTURE_PX = 1200
# Subjects of the published sets that are one photograph, which nothing in their names says.
_TWINS = {"eye_disease": [("cataract/cataract_091.png", "cataract/cataract_093.png")]}
# Below that a bootstrap over subjects has hardly any samples to draw from.
_FEW_SUBJECTS = 5
# Pictures that a card without pictures names.
_WORST = 8
# What of `DataConfig` says who is held out.
_DIVISION = ("data.held_out_fold", "data.official_test")
_DOES = {
    "vessels": "Marks the pixels of a fundus photograph that show a blood vessel.",
    "eye_disease": "Tells which of four states a fundus photograph shows.",
    "dubai_aerial": "Says of every pixel of an aerial picture what covers the land.",
    "landcover_ai": "Says of every pixel of an orthophoto what covers the land.",
}
_SUBJECT = {"vessels": "person", "eye_disease": "patient", "dubai_aerial": "tile", "landcover_ai": "orthophoto"}
_LIMITS = {
    "vessels": [
        "CHASE_DB1 holds children's eyes from one camera: other ages, diseases and cameras are not in these figures.",
    ],
    "eye_disease": [
        "**The diabetic retinopathy pictures come from another source than the other three classes and look it**: "
        "colour and framing alone tell them apart. A high score for that class is no proof of having seen retinopathy.",
        "A picture that shows none of the four states, or several, still gets one of the four names.",
    ],
    "dubai_aerial": [
        "Six tiles of one city, from one satellite: other places, seasons and resolutions were not seen.",
        "Pixels that nobody labelled are neither learnt nor judged.",
    ],
    "landcover_ai": [
        "The data may not be redistributed: no weights of this task are shipped, and no picture is shown."
    ],
}
# Figures that a card shows; a name that ends with _ stands for one figure a class.
_HEADLINES = {
    Kind.BINARY_SEGMENTATION: [
        "dice",
        "roc_auc",
        "iou",
        "sensitivity",
        "specificity",
        "precision",
        "accuracy",
        "mcc",
        "pr_auc",
        "per_image_dice",
        "full_frame_dice",
        "full_frame_roc_auc",
        "full_frame_accuracy",
    ],
    Kind.SEMANTIC_SEGMENTATION: [
        "mean_iou",
        "mean_dice",
        "accuracy",
        "mcc",
        "roc_auc_ovr",
        "pr_auc_ovr",
        "ece",
        "iou_",
        "precision_",
        "recall_",
    ],
    Kind.CLASSIFICATION: [
        "macro_f1",
        "accuracy",
        "mcc",
        "roc_auc_ovr",
        "pr_auc_ovr",
        "ece",
        "f1_",
        "precision_",
        "recall_",
    ],
}


class CardError(TrainingError):
    """A model card that cannot be made, or may not be made as asked."""


@dataclass
class CardOptions:
    """A call of `card`.

    Attributes:
        task: name of the task.
        model: a model folder, or the stem of a shipped pair; `weights/<task>` if null.
        evaluation: metrics.json of `evaluate`; that of `build/evaluation/<task>` if null.
        crossvalidation: JSON of `crossvalidate`, whose figures and colour baseline are shown too: `command`, `metrics`,
            `intervals_95`, and `baseline` with metrics and intervals_95; eye_disease needs it.
        normalised: metrics.json of `evaluate … normalise=colour_and_framing`; eye_disease needs it.
        published: the published set that the evaluation's pictures are from, by your word, a name in `PUBLISHABLE`: its
            licence is stated.
        pictures: show the evaluation's pictures; only those of a published set that may be redistributed.
        out: the page; `docs/models/<task>.md` if null.
    """

    task: str = ""
    model: str | None = None
    evaluation: str | None = None
    crossvalidation: str | None = None
    normalised: str | None = None
    published: str | None = None
    pictures: bool = False
    out: str | None = None


def run_card(words: list[str], console: Console) -> int:
    """Write a model card as told and return the exit status: 0 done, 1 could not be done, 2 wrong call."""
    try:
        page = write_card(_read_options(words), as_typed("card", words))
    except (TrainingError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2 if isinstance(error, ConfigError) else 1
    console.print(f"model card: {page}")
    return 0


def write_card(options: CardOptions, command: str) -> Path:
    """Write the page and its pictures, and return its path.

    Raises:
        CardError: a file that is missing, of other weights or of another task, or pictures that may not be shown.
        WeightsError: no such model.
    """
    task = get_task(options.task)
    model = options.model or f"weights/{task.name}"
    card = load_card(Path(model))
    path = Path(options.evaluation or f"build/evaluation/{task.name}/{METRICS_FILE}")
    evaluation = _read_evaluation(path, card, normalise="none")
    page = Path(options.out or f"docs/models/{task.name}.md")
    if {card.task, evaluation["task"]} != {task.name}:
        raise CardError(f"{model} is of {card.task} and {path} of {evaluation['task']}; give those of {task.name}")
    if options.pictures and options.published is None:
        raise CardError(f"pictures may be shown only of a published set; name it with published={_names(task)}")
    text = _render(
        _context(task, card, evaluation, options)
        | {"model": _weights_name(model), "command": command}
        | {
            "pictures": _copy_pictures(path.parent, page, task) if options.pictures else [],
        }
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    return page


def _names(task: TaskSpec) -> str:
    return "|".join(PUBLISHABLE.get(task.name, {})) or "none"


def _weights_name(model: str) -> str:
    return f"{model}/{WEIGHTS_FILE}" if Path(model).is_dir() else f"{model}.safetensors"


def _context(task: TaskSpec, card: ModelCard, evaluation: dict[str, Any], options: CardOptions) -> dict[str, Any]:
    folds = _read_folds(Path(options.crossvalidation), card) if options.crossvalidation else None
    if task.name == "eye_disease":
        _check_source_is_told(folds, options)
    return {
        "card": asdict(card),
        "evaluation": evaluation,
        "medical": task.name in _MEDICAL,
        "binary": task.kind is Kind.BINARY_SEGMENTATION,
        "whole_pictures": task.kind is Kind.CLASSIFICATION,
        "does": _DOES[task.name],
        "classes": [info.name for info in task.predicted],
        "size_px": task.size_px,
        "subject": _SUBJECT[task.name],
        "licence": _licence(task, evaluation["data"]["source"], options.published),
        "same_set": card.data_digest == evaluation["data"]["digest"],
        "limits": [*_LIMITS[task.name], *_known_twins(card), *_few_judges(evaluation["data"]["subjects"], task)],
        "ranked_by": RANKED_BY[task.kind],
        "worst": _worst(evaluation.get("per_image", []), RANKED_BY[task.kind]),
        "sections": _sections(task, card, evaluation, folds, options),
        "baseline": _section("", folds["baseline"] | {"command": folds["command"]}, task)
        if folds and folds.get("baseline")
        else None,
    }


def _known_twins(card: ModelCard) -> list[str]:
    """Return a sentence for each photograph that is trained on under one name and judges under another."""
    trained, judging = (set(card.subjects.get(group, [])) for group in ("train", "held_out"))
    return [
        f"{one} and {other} are one photograph under two names and in other colours; one is trained on and the other "
        "judges. `python -m training ingest` finds such pairs, and `on_duplicates=drop` leaves them out."
        for one, other in _TWINS.get(card.task, [])
        if (one in trained and other in judging) or (other in trained and one in judging)
    ]


def _few_judges(subjects: int, task: TaskSpec) -> list[str]:
    if subjects >= _FEW_SUBJECTS:
        return []
    many = f"{subjects} {_SUBJECT[task.name]}{'s' if subjects > 1 else ''}"
    return [f"These weights were judged on {many}: an interval over so few is no more than the range between them."]


def _worst(rows: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    judged = [row for row in rows if row.get(key) is not None]
    return sorted(judged, key=lambda row: (row[key], row["name"]))[:_WORST]


def _sections(
    task: TaskSpec,
    card: ModelCard,
    evaluation: dict[str, Any],
    folds: dict[str, Any] | None,
    options: CardOptions,
) -> list[dict[str, Any]]:
    note = "Pixels inside the published field of view are pooled; `full_frame_` counts all pixels."
    shipped = _section("These weights", evaluation, task, note if task.kind is Kind.BINARY_SEGMENTATION else "")
    sections = [shipped]
    if folds:
        sections.append(
            _section(
                "Cross-validation",
                folds,
                task,
                f"One network a fold, each judged on {_SUBJECT[task.name]}s it never saw.",
            )
        )
    if options.normalised:
        note = "The same weights and pictures, after colour, contrast, aspect and aperture were made equal."
        removed = _read_evaluation(Path(options.normalised), card, normalise="colour_and_framing")
        if removed["data"]["digest"] != evaluation["data"]["digest"]:
            raise CardError(
                f"{options.normalised} judges other pictures than the evaluation; run both on the same root"
            )
        sections.append(_section("What remains without colour and framing", removed, task, note))
    return sections


def _check_source_is_told(folds: dict[str, Any] | None, options: CardOptions) -> None:
    if not options.normalised:
        raise CardError(
            "the card of eye_disease must say what remains without the marks of the source; run python -m training "
            f"evaluate … normalise=colour_and_framing out=<folder> and give normalised=<folder>/{METRICS_FILE}"
        )
    if not (folds and folds.get("baseline")):
        raise CardError(
            "the card of eye_disease must say what colour alone achieves; run python -m training crossvalidate with "
            "its baseline and give crossvalidation=<its JSON>"
        )


def _section(title: str, document: dict[str, Any], task: TaskSpec, note: str = "") -> dict[str, Any]:
    intervals = document.get("intervals_95") or {}
    rows = [
        {"name": name, "value": _number(value), "interval": " – ".join(map(_number, intervals.get(name, ())))}
        for name, value in document["metrics"].items()
        if any(name == head or (head.endswith("_") and name.startswith(head)) for head in _HEADLINES[task.kind])
    ]
    return {"title": title, "command": document["command"], "rows": rows, "note": note}


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _read_evaluation(path: Path, card: ModelCard, *, normalise: str) -> dict[str, Any]:
    evaluation = _read_json(path)
    if evaluation.get("normalise", "none") != normalise:
        raise CardError(f"{path} was judged with normalise={evaluation.get('normalise')}; give one of {normalise}")
    judged = evaluation.get("model", {}).get("weights_sha256")
    if judged != card.weights_sha256:
        raise CardError(f"{path} judges other weights ({str(judged)[:16]}…) than the model's; run evaluate again")
    return evaluation


def _read_folds(path: Path, card: ModelCard) -> dict[str, Any]:
    """Return a cross-validation of what is shipped: of other data or another recipe it would only mislead."""
    folds = _read_json(path)
    if folds.get("data_digest") != card.data_digest:
        raise CardError(
            f"{path} cross-validates other data than the model was trained on, or was written by an earlier version; "
            "run crossvalidate on the model's data"
        )
    ours, theirs = (_learnt_by(config) for config in (card.config, folds.get("config", {})))
    differing = sorted(
        f"{name}={theirs.get(name)}, not {ours.get(name)}"
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name)
    )
    if differing:
        raise CardError(
            f"{path} cross-validates another recipe ({'; '.join(differing)}); give crossvalidate the model's"
        )
    return folds


def _learnt_by(config: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe by its keys, without the division of the data, in which a model and its folds differ."""
    found = recipe({"data": {}, "trainer": {}} | config)
    keys: dict[str, Any] = {}
    for group, value in found.items():
        keys |= {f"{group}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {group: value}
    return {name: value for name, value in keys.items() if name not in _DIVISION}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CardError(f"{path} cannot be read ({error}); run the command that writes it") from error
    if not isinstance(document, dict) or not {"metrics", "command"} <= document.keys():
        raise CardError(f"{path} has no metrics with their command; give what evaluate or crossvalidate wrote")
    return document


def _licence(task: TaskSpec, source: str, published: str | None) -> str:
    """Return whose pictures these are. A folder's layout tells nothing of that: the caller has to know it."""
    if published is None:
        return f"Pictures in the layout of `{source}`; their licence is that of whoever made them."
    known = PUBLISHABLE.get(task.name, {})
    if published not in known or known[published][0] != source:
        allowed = ", ".join(known) or "none"
        raise CardError(
            f"published={published} with pictures in the layout of {source} is no set that may be shown (those of "
            f"{task.name}: {allowed}); leave published and pictures out"
        )
    said = known[published][1]
    return said[0].upper() + said[1:] + "."


def _copy_pictures(folder: Path, page: Path, task: TaskSpec) -> list[dict[str, str]]:
    """Write small copies beside the page and return their relative paths with captions."""
    images = page.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    captions = {
        "worst": "The worst picture" if task.kind is not Kind.CLASSIFICATION else "The surest mistakes",
        "median": "The middle picture",
    }
    shown = [(name, caption) for name, caption in captions.items() if (folder / f"{name}.jpg").is_file()]
    for name, _ in shown:
        with Image.open(folder / f"{name}.jpg") as picture:
            picture.thumbnail((_PICTURE_PX, _PICTURE_PX))
            picture.save(images / f"{task.name}_{name}.jpg", quality=80)
    return [{"path": f"images/{task.name}_{name}.jpg", "caption": caption} for name, caption in shown]


def _render(context: dict[str, Any]) -> str:
    # Markdown and not HTML: escaping would only damage it.
    environment = jinja2.Environment(  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(_TEMPLATE.read_text()).render(context)


def _read_options(words: Sequence[str]) -> CardOptions:
    options = only_options(words, CardOptions)
    try:
        get_task(options.task)
    except UnknownTaskError as error:
        raise ConfigError(str(error)) from error
    return options
