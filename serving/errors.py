"""The errors of `serving`: one sentence each, raised before anything starts wherever that is possible."""


class ServingError(Exception):
    """Root of every error that `serving` raises on purpose."""


class PreflightError(ServingError):
    """Something about this machine or the repository would keep the server from working."""


class StartError(ServingError):
    """The server did not become ready."""
