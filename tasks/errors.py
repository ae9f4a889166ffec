"""The errors of `tasks`: each message says what was wrong with which input and what to do about it."""


class TaskError(Exception):
    """Root of every error that `tasks` raises on purpose."""


class UnknownTaskError(TaskError):
    """A task name that is not in `TASKS`."""


class ImageError(TaskError):
    """An image that cannot be used: empty, not an image, damaged, too small or too large."""


class ShapeError(TaskError):
    """Arrays whose shape or dtype does not fit the function they were given to."""


class ChecksumError(TaskError):
    """A folder whose files are not the ones its SHA256SUMS lists."""
