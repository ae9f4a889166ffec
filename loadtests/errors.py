"""What can make a load test impossible, before or instead of a measurement.

    LoadTestError
    ├── UnknownCommandError     the first word of the command line is no command
    ├── InvalidObjectivesError  slo.yaml is missing, misspelt or of the wrong type
    ├── InvalidCapacityError    a capacity cannot be asked for so, or its file cannot be used
    ├── InvalidScheduleError    the arrivals asked for are too many, or none would be measured
    ├── NoImagesError           the folder of images is missing or holds none
    ├── NoExpectationError      what answers shall be compared with cannot be read
    ├── OutputNotWritableError  the reports could not be written
    └── ServerNotReadyError     the server or the model does not answer that it is ready

Each message is one sentence that says what was wrong and what to do. A missed objective is no error: it is a result.
"""


class LoadTestError(Exception):
    """Root of the tree: the run is invalid and the process exits with 2."""


class UnknownCommandError(LoadTestError):
    """The first word of the command line names no command."""


class InvalidObjectivesError(LoadTestError):
    """The file of objectives cannot be used as it stands."""


class InvalidCapacityError(LoadTestError):
    """The capacities asked for contradict each other, or the file of them cannot be used."""


class InvalidScheduleError(LoadTestError):
    """The arrivals asked for cannot be driven or would measure nothing."""


class NoImagesError(LoadTestError):
    """There is no image to send."""


class NoExpectationError(LoadTestError):
    """There is nothing to compare answers with where the caller said there is."""


class OutputNotWritableError(LoadTestError):
    """The reports have nowhere to go."""


class ServerNotReadyError(LoadTestError):
    """The endpoint did not answer that it is ready."""
