"""The errors of `training`: one sentence each that says what was wrong with which input and what to do."""


class TrainingError(Exception):
    """Root of every error that `training` raises on purpose."""


class ConfigError(TrainingError):
    """A configuration that is typed correctly and still makes no sense."""


class DataError(TrainingError):
    """A data folder that is missing, incomplete or of no known layout."""


class DivergedError(TrainingError):
    """A loss that is no longer a number."""


class LostProcessError(TrainingError):
    """A process of a distributed run that found the others gone: what happened to those is the cause."""


class StoppedError(TrainingError):
    """The run was told to stop by a signal, whose number is `signal_number`; `kept` says what is left of it."""

    def __init__(self, signal_number: int, kept: str) -> None:
        super().__init__(f"stopped; {kept}")
        self.signal_number = signal_number


class WeightsError(TrainingError):
    """A model folder that cannot be loaded."""
