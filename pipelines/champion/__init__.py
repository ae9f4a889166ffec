"""Which release serves: the champion is what one symbolic link points to, and a journal says how it came there."""

from pipelines.champion.journal import Entry, read_journal
from pipelines.champion.pointer import RELEASES, adopt, current, name_of, promote, roll_back

__all__ = ["RELEASES", "Entry", "adopt", "current", "name_of", "promote", "read_journal", "roll_back"]
