"""The commands that `tests/docs/test_walk.py` runs as they are shown, in this order, and what makes them cheap."""

from dataclasses import dataclass, field

_EVALUATE = ".venv/bin/python -m training evaluate"
_LITTLE_LOAD = "--rate 2 --duration-s 4 --warm-up-s 1"
_LITTLE_TRAINING = (
    "trainer=smoke trainer.epochs=2 network.widths=[8,16] trainer.crops_per_epoch=16 data.folds=3 tracking=none"
)


@dataclass(frozen=True)
class Walk:
    """How a shown command is run.

    Attributes:
        more: words that are added to it, for a smaller budget.
        given: what a reader would fill in.
        statuses: exit statuses that are none of this test's business; a load test on a busy machine may miss.
        runs_on: whether it is a server that is stopped at the end.
    """

    more: str = ""
    given: dict[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0,)
    runs_on: bool = False


TUTORIAL = {
    ".venv/bin/python -m training synthesise": Walk("--subjects 2"),
    ".venv/bin/python -m export task=vessels model=weights/vessels pictures=build/data/synthetic": Walk("images=4"),
    "make serve": Walk(runs_on=True),
    ".venv/bin/fovea models --url 127.0.0.1:8001": Walk(),
    ".venv/bin/fovea segment build/data/synthetic/images --url 127.0.0.1:8001 --out build/masks": Walk(),
    ".venv/bin/python -m loadtests run --url 127.0.0.1:8001 --task vessels --images build/data/synthetic/images": Walk(
        _LITTLE_LOAD, statuses=(0, 1, 2)
    ),
    "make dashboard DATA=build/data/synthetic/images": Walk(runs_on=True),
}

README = {
    "make help": Walk(),
    ".venv/bin/fovea segment eye.jpg --url 127.0.0.1:8001 --out masks": Walk(),
    "python -m loadtests run --url 127.0.0.1:8001 --task vessels --images photos": Walk(
        _LITTLE_LOAD, {"photos": "data/chase_db1/images"}, statuses=(0, 1, 2)
    ),
    ".venv/bin/python -m training ingest task=eye_disease root=<folder>": Walk(
        "folds=3", {"<folder>": "data/eye_diseases"}
    ),
    ".venv/bin/python -m training task=eye_disease data.root=build/data/eye_disease.deeplake": Walk(_LITTLE_TRAINING),
    f"{_EVALUATE} task=eye_disease root=<other folder> model=build/training/eye_disease": Walk(
        given={"<other folder>": "data/eye_diseases"}
    ),
    ".venv/bin/python -m export model=build/training/eye_disease": Walk("images=4 formats=[onnx]"),
    f"{_EVALUATE} task=vessels root=data/chase_db1": Walk(),
    f"{_EVALUATE} task=vessels root=data/chase_db1 tta=true out=build/evaluation/vessels_tta": Walk(),
    f"{_EVALUATE} task=eye_disease root=data/eye_diseases": Walk(),
    f"{_EVALUATE} task=dubai_aerial root=data/dubai_aerial": Walk(),
}

WALKED = TUTORIAL | README
