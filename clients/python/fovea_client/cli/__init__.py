"""The command `fovea`: segment or classify files, ask what a server has and how it does.

Exit status:
    0    done
    1    some images failed, a request was refused, or `ready` found the server not ready
    2    the command line cannot be followed: a wrong word, a place that takes no files, credentials that cannot be used
    3    the server cannot be reached or does not answer in time
    4    the server refuses this caller
    130  interrupted with Ctrl-C
    143  told to end (SIGTERM)

Only this package reads the environment: FOVEA_URL, FOVEA_TOKEN, FOVEA_TOKEN_FILE, FOVEA_CA, FOVEA_CERT, FOVEA_KEY,
FOVEA_RESTRICTED and FOVEA_RESTRICTED_FILE. An option is stronger than its variable.
"""

from fovea_client.cli.command import main

__all__ = ["main"]
