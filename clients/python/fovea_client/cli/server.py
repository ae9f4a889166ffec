"""`fovea ready` and `fovea models`: one question about the server."""

import argparse
from dataclasses import asdict

from fovea_client.cli.connection import connect
from fovea_client.cli.exits import Exit
from fovea_client.cli.terminal import say, say_json


def ready(arguments: argparse.Namespace) -> Exit:
    """Say whether the server is ready; that is the exit status too. Waits for it where that is asked for."""
    with connect(arguments) as client:
        if arguments.wait_s is not None:
            client.wait_until_ready(arguments.wait_s)
        found = client.ready()
    if arguments.json:
        say_json({"url": arguments.url, "ready": found})
    else:
        say(f"{arguments.url} is {'ready' if found else 'not ready'}")
    return Exit.DONE if found else Exit.FAILED


def models(arguments: argparse.Namespace) -> Exit:
    """List every model version of the server with its state."""
    with connect(arguments) as client:
        found = client.models()
    width = max((len(model.name) for model in found), default=0)
    for model in found:
        if arguments.json:
            say_json(asdict(model) | {"ready": model.ready})
        else:
            line = f"{model.name:{width}}  {model.version or '-'}  {model.state or 'UNLOADED'}  {model.reason}"
            say(line.rstrip())
    return Exit.DONE
