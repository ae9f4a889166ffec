"""What can make a question of `monitoring` impossible to answer.

    MonitoringError
    ├── UsageError         the command line contradicts itself or names a task, folder or release that is not there
    ├── NoImagesError      a folder holds no picture that can be used, or too few of them
    ├── ProfileError       a reference profile is missing, damaged or of another network
    ├── LabelsError        late labels do not fit the pictures
    └── OutputError        a result could not be written

Each message is one sentence that says what was wrong and what to do. Drift is no error: it is a result.
"""


class MonitoringError(Exception):
    """Root of the tree: nothing is known, and the process exits with 2."""


class UsageError(MonitoringError):
    """What was asked for cannot be done as it was asked."""


class NoImagesError(MonitoringError):
    """There are no pictures to judge, or too few."""


class ProfileError(MonitoringError):
    """A reference profile cannot be used."""


class LabelsError(MonitoringError):
    """Labels that cannot be used."""


class OutputError(MonitoringError):
    """A result has nowhere to go."""
