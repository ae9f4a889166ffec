"""Uploaded pictures are personal data: they stay in memory."""

import sys

from starlette.formparsers import MultiPartParser


def keep_in_memory() -> None:
    """Let no upload reach a disk. Calling it again is fine.

    Starlette, Streamlit's server, puts what passes 1 MiB of an upload into a temporary file. How large one may be at
    all is `server.maxUploadSize`.
    """
    MultiPartParser.spool_max_size = sys.maxsize
