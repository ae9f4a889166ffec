"""The errors of `export`: one sentence each that says what was wrong with which artefact and what to do."""


class ExportError(Exception):
    """Root of every error that `export` raises on purpose."""


class ParityError(ExportError):
    """An artefact answers differently from the network that was trained."""


class PlaceError(ExportError):
    """A release that cannot be written or is not what it says."""
