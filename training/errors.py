"""The errors of `training`: one sentence each that says what was wrong with which input and what to do."""


class TrainingError(Exception):
    """Root of every error that `training` raises on purpose."""


class ConfigError(TrainingError):
    """A configuration that is typed correctly and still makes no sense."""


class DataError(TrainingError):
    """A data folder that is missing, incomplete or of no known layout."""


class WeightsError(TrainingError):
    """A model folder that cannot be loaded."""
