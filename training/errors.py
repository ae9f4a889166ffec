"""The errors of `training`: one sentence each that says what was wrong with which input and what to do."""


class TrainingError(Exception):
    """Root of every error that `training` raises on purpose."""


class ConfigError(TrainingError):
    """A configuration that is typed correctly and still makes no sense."""


class DataError(TrainingError):
    """A data folder that is missing, incomplete or of no known layout."""


class StoppedError(TrainingError):
    """The run was told to stop by a signal, whose number is `signal_number`; what it had learnt is kept."""

    def __init__(self, signal_number: int, folder: object) -> None:
        super().__init__(f"stopped; continue with the same call and resume={folder}")
        self.signal_number = signal_number


class WeightsError(TrainingError):
    """A model folder that cannot be loaded."""
