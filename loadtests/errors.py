"""What can make a load test impossible, before or instead of a measurement.

    LoadTestError
    ├── UnknownCommand        the first word of the command line is no command
    ├── InvalidObjectives     slo.yaml is missing, misspelt or of the wrong type
    ├── InvalidSchedule       the arrivals asked for are too many, or none would be measured
    ├── NoImages              the folder of images is missing or holds none
    ├── OutputNotWritable     the reports could not be written
    └── ServerNotReady        nothing ready answers at the address

Each message is one sentence that says what was wrong and what to do. A missed objective is no error: it is a result.
"""


class LoadTestError(Exception):
    """Root of the tree: the run is invalid and the process exits with 2."""


class UnknownCommand(LoadTestError):
    """The first word of the command line names no command."""


class InvalidObjectives(LoadTestError):
    """The file of objectives cannot be used as it stands."""


class InvalidSchedule(LoadTestError):
    """The arrivals asked for cannot be driven or would measure nothing."""


class NoImages(LoadTestError):
    """There is no image to send."""


class OutputNotWritable(LoadTestError):
    """The reports have nowhere to go."""


class ServerNotReady(LoadTestError):
    """The endpoint did not answer that it is ready."""
