"""The errors of `pipelines`."""


class PipelineError(Exception):
    """Root of every error that `pipelines` raises on purpose."""


class StageError(PipelineError):
    """A stage ended with another status than 0; it has said itself why."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class MismatchError(PipelineError):
    """The server's answers are not those of the evaluation."""


class RefusedError(PipelineError):
    """Everything worked, and the answer is no: the champion stays."""

    STATUS = 3
