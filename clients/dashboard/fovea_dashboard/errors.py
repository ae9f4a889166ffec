"""What the dashboard itself can say went wrong; what the endpoint says are fovea_client's errors.

DashboardError
├── SettingsError   the command line cannot be followed
├── PictureError    the picture cannot be shown
└── ReportError     a folder that was made elsewhere cannot be read
"""


class DashboardError(Exception):
    """Base of the tree; its message is the one sentence that the page shows."""


class SettingsError(DashboardError):
    """The words after `--` cannot be followed."""


class PictureError(DashboardError):
    """The picture cannot be shown."""


class ReportError(DashboardError):
    """What an evaluation or a drift run left cannot be read."""
