"""The errors of `pipelines`."""


class PipelineError(Exception):
    """Root of every error that `pipelines` raises on purpose."""


class StageError(PipelineError):
    """A stage ended with another status than 0; it has said itself why."""


class MismatchError(PipelineError):
    """The server's answers are not those of the evaluation."""
