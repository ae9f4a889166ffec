"""What the endpoint is sent and what it says of it: where a new camera shows before any label arrives."""

from monitoring.dashboards.panel import TASKS, Board, Panel, Query, mean, quantiles, rate, ratio
from tasks import TASKS as ALL_TASKS
from tasks import Kind
from tasks.statistics import prediction_names
from tasks.telemetry import INPUT, PREDICTED, PREDICTION, REJECTED


def _spread(title: str, description: str, statistic: str, unit: str = "short", *, prefix: str = INPUT) -> Panel:
    least = None if statistic == "sharpness" else 0
    return Panel(title, description, unit, quantiles(prefix + statistic, 0.1, 0.5, 0.9), least=least)


INPUTS = Board(
    "fovea-inputs",
    "Fovea: Inputs",
    "What pictures look like that callers send. A step is a new camera, setting or export; a drift is a season.",
    f"{INPUT}brightness_count",
    (
        Panel(
            "Refused by reason",
            "Pictures a second that were no usable input.",
            "reqps",
            (Query(rate(REJECTED, TASKS, "task, reason"), "{{task}} {{reason}}"),),
        ),
        Panel(
            "Pictures looked at",
            "Whose figures are below: all up to two a second of each process, then a part.",
            "reqps",
            (Query(rate(f"{INPUT}brightness_count", TASKS, "task"), "{{task}}"),),
        ),
        Panel(
            "Channels",
            "Means inside the field of view, 0 to 1. One that leaves the others is a colour cast.",
            "percentunit",
            tuple(mean(f"{INPUT}{name}", f"{{{{task}}}} {name}") for name in ("red", "green", "blue")),
        ),
        _spread("Brightness", "Mean luma inside the field of view, 0 to 1.", "brightness", "percentunit"),
        _spread(
            "Sharpness",
            "log10 of the variance of the Laplacian. A fall of a half is visible: focus, motion or compression.",
            "sharpness",
        ),
        _spread("Saturation", "Mean of HSV's S inside the field of view, 0 to 1.", "saturation", "percentunit"),
        _spread("Width", "Of the picture as it was sent.", "width_px", "pixel"),
        _spread("Height", "Of the picture as it was sent.", "height_px", "pixel"),
    ),
)


def _shares(task: str) -> Panel:
    names = [name for name in prediction_names(ALL_TASKS[task]) if name.startswith("share_")]
    queries = []
    for name in names:
        labels = TASKS.replace('task=~"$task"', f'task="{task}"')
        above, below = (rate(f"{PREDICTION}{name}_{part}", labels, "task") for part in ("sum", "count"))
        queries.append(Query(ratio(above, below), name.removeprefix("share_")))
    return Panel(
        f"Shares of {task}",
        "Mean share of the field of view that each class has.",
        "percentunit",
        tuple(queries),
    )


PREDICTIONS = Board(
    "fovea-predictions",
    "Fovea: Predictions",
    "What the networks answer, and how sure they are. It moves with the pictures, and with a release.",
    f"{PREDICTION}confidence_count",
    (
        _spread(
            "Confidence",
            "Mean probability of the likeliest class, 0 to 1.",
            "confidence",
            "percentunit",
            prefix=PREDICTION,
        ),
        _spread(
            "Entropy",
            "0 sure, 1 a guess. Rises when pictures become unlike those that were learnt from.",
            "entropy",
            "percentunit",
            prefix=PREDICTION,
        ),
        *(_shares(name) for name, task in ALL_TASKS.items() if task.kind is not Kind.CLASSIFICATION),
        Panel(
            "Labels",
            "Share of the pictures that each class was given to, of tasks that classify.",
            "percentunit",
            (
                Query(
                    f"{rate(PREDICTED, TASKS, 'task, class')} / on (task) group_left () "
                    f"({rate(PREDICTED, TASKS, 'task')} > 0)",
                    "{{task}} {{class}}",
                ),
            ),
            most=1,
        ),
    ),
)
