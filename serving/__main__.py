"""Front door: `python -m serving` serves a placed release until it is told to stop."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from serving.errors import ServingError
from serving.server import Endpoint, Options, Server


def main(arguments: list[str] | None = None) -> int:
    """Serve and return the exit status: 0 stopped on request, 1 could not start or died, 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked to go on
            signal.signal(number, lambda *_: stop.set())
    try:
        with Server(_options(options)) as server:
            return _serve(server, options.endpoint_file, stop, console)
    except ServingError as error:
        console.print(f"[red]error:[/red] {error}", soft_wrap=True)
        return 1


def _serve(server: Server, endpoint_file: Path | None, stop: threading.Event, console: Console) -> int:
    with console.status("loading models") as status:

        def on_wait(waited_s: float) -> None:
            status.update(f"loading models … {waited_s:.0f} s")
            if stop.is_set():
                raise ServingError("stopped while the models were loading")

        endpoint = server.start(on_wait)
    if endpoint_file:
        _write_atomically(endpoint_file, endpoint.to_json())
    try:
        _announce(endpoint, console)
        _watch(server, stop)
    finally:
        if endpoint_file:
            endpoint_file.unlink(missing_ok=True)
    console.print("stopping …")
    server.stop()
    console.print("stopped")
    return 0


def _watch(server: Server, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        if server.poll() is not None:
            raise ServingError(f"Triton ended by itself with status {server.poll()}:\n{server.last_words()}")


def _announce(endpoint: Endpoint, console: Console) -> None:
    console.print(
        f"ready: gRPC {endpoint.grpc}  HTTP {endpoint.http}  metrics http://{endpoint.metrics}/metrics\n"
        f"       profile {endpoint.profile}, models {', '.join(endpoint.models)}, release {endpoint.release[:12]}; "
        "Ctrl-C stops",
        soft_wrap=True,
    )


def _write_atomically(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text)
        partial.replace(path)
    except OSError as error:
        raise ServingError(f"the endpoint file {path} cannot be written ({error}); name another one") from error


def _options(parsed: argparse.Namespace) -> Options:
    return Options(
        repository=parsed.repository,
        profile=parsed.profile,
        http_port=parsed.http_port,
        grpc_port=parsed.grpc_port,
        metrics_port=parsed.metrics_port,
        start_timeout_s=parsed.start_timeout_s,
        exit_timeout_s=parsed.exit_timeout_s,
        log=parsed.log,
        instances=parsed.instances,
        samples=parsed.samples,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve a placed release with the embedded Triton on 127.0.0.1 until SIGINT or SIGTERM.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--repository", type=Path, default=Path("build/model_repository"), help="a placed release")
    parser.add_argument("--profile", default="default", help="serving profile: default, cpu, torchscript, …")
    parser.add_argument("--instances", type=_at_least_one, help="of every network, instead of the profile's own number")
    for name in ("grpc", "http", "metrics"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 picks a free port")
    parser.add_argument(
        "--samples", type=Path, help="keep uncertain pictures here, as `monitoring samples enable` allowed"
    )
    parser.add_argument("--endpoint-file", type=Path, help="written (JSON) when ready, removed at the end")
    parser.add_argument("--start-timeout-s", type=float, default=120.0, help="how long loading may take")
    parser.add_argument("--exit-timeout-s", type=int, default=10, help="how long requests under way may take at a stop")
    parser.add_argument("--log", type=Path, default=Path("build/serving/triton.log"), help="Triton's own log")
    return parser


def _at_least_one(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return count


if __name__ == "__main__":
    sys.exit(main())
