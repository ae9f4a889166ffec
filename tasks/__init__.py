"""What is predicted. One TaskSpec a task; decoding, geometry and metrics as pure functions that all stages share."""

from tasks.dubai_aerial import DUBAI_AERIAL
from tasks.errors import Rejection, TaskError, UnknownTaskError
from tasks.eye_disease import EYE_DISEASE
from tasks.landcover_ai import LANDCOVER_AI
from tasks.spec import ClassInfo, FieldOfView, ImageLimits, Kind, TaskSpec
from tasks.vessels import VESSELS

TASKS: dict[str, TaskSpec] = {task.name: task for task in (VESSELS, EYE_DISEASE, DUBAI_AERIAL, LANDCOVER_AI)}


def get_task(name: str) -> TaskSpec:
    """Return the task of that name.

    Raises:
        UnknownTaskError: no such task; the message lists those there are.
    """
    if name not in TASKS:
        raise UnknownTaskError(f"there is no task {name!r}; the tasks are: {', '.join(TASKS)}")
    return TASKS[name]


__all__ = [
    "TASKS",
    "ClassInfo",
    "FieldOfView",
    "ImageLimits",
    "Kind",
    "Rejection",
    "TaskError",
    "TaskSpec",
    "UnknownTaskError",
    "get_task",
]
