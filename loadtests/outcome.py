"""How a run ended, as one of three words and as the exit code of a process."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended. Invalid says nothing about the server: neither that it passed nor that it failed."""

    PASSED = "passed"
    MISSED = "missed"
    INVALID = "invalid"

    @property
    def exit_code(self) -> int:
        """What the process exits with: 0, 1 or 2."""
        return {Outcome.PASSED: 0, Outcome.MISSED: 1, Outcome.INVALID: 2}[self]
