"""The folder that the embedded Triton runs from: its python backend, this interpreter's stub, our Python backends."""

import os
import shutil
import socket
import sys
import sysconfig
from importlib import metadata, util
from pathlib import Path

from serving.errors import PreflightError

_OUR_BACKENDS = Path(__file__).parent / "backends"
_STUB = "triton_python_backend_stub"


def server_folder() -> Path:
    """Return where the wheel keeps tritonserver, its python backend and the stubs.

    Raises:
        PreflightError: the wheel is not installed, or has no stub for this interpreter.
    """
    found = util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise PreflightError("the embedded Triton is not installed; run `make install` (wheel nvidia-pytriton)")
    folder = Path(found.origin).parent / "tritonserver"
    if not _stub(folder).is_file():
        raise PreflightError(f"the embedded Triton has no stub for Python {_python_version()}; use Python 3.11 or 3.12")
    return folder


def check_numpy() -> None:
    """Refuse NumPy 2.

    Raises:
        PreflightError: the embedded Triton's stub reads its arrays with strides of 0, which gives wrong results.
    """
    version = metadata.version("numpy")
    if int(version.partition(".")[0]) >= 2:
        raise PreflightError(
            f"NumPy {version} makes the embedded Triton answer wrongly without a word; install numpy<2 (`make install`)"
        )


def check_port(port: int) -> None:
    """Refuse a port of 127.0.0.1 that cannot be listened on.

    Raises:
        PreflightError: it is taken or not allowed. Else the client would talk to somebody else's server.
    """
    with socket.socket() as probe:
        # Connections of a server that just stopped linger; they do not keep Triton from listening either.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise PreflightError(
                f"port {port} of 127.0.0.1 cannot be used ({error}); name another one or 0 for a free one"
            ) from error


def free_ports(count: int) -> list[int]:
    """Return that many different ports of 127.0.0.1 that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def build_backends(folder: Path) -> Path:
    """Assemble the backend folder and return it.

    The wheel's python backend is copied: Triton refuses links to single files ("escapes backend directory"), and the
    stub must lie beside the library, where a package folder is not ours to write to.
    """
    server = server_folder()
    backends = folder / "backends"
    shutil.copytree(server / "backends" / "python", backends / "python")
    shutil.copy2(_stub(server), backends / "python" / _STUB)
    shutil.copytree(_OUR_BACKENDS, backends, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return backends


def environment() -> dict[str, str]:
    """Return the variables for tritonserver.

    The stub must bind this interpreter's own libpython (another build of the same version breaks the standard library),
    and the copied backend finds the wheel's libraries only by name. The first `python3` of PATH decides which
    site-packages the stub sees.
    """
    libraries = [str(sysconfig.get_config_var("LIBDIR")), str(server_folder().parents[1] / "nvidia_pytriton.libs")]
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    return inherited | {
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "PATH": path,
    }


def check_libpython() -> None:
    """Refuse an interpreter without a shared libpython.

    Raises:
        PreflightError: the stub could not start; names the package to install.
    """
    name = f"libpython{_python_version()}.so.1.0"
    folders = [Path(str(sysconfig.get_config_var("LIBDIR"))), *Path("/usr/lib").glob("*-linux-gnu")]
    if not any((folder / name).exists() for folder in folders):
        raise PreflightError(
            f"the embedded Triton needs {name}, which this Python does not bring; on Debian or Ubuntu install the "
            f"package libpython{_python_version()}, with pyenv build Python with --enable-shared"
        )


def _stub(server: Path) -> Path:
    return server / "python_backend_stubs" / _python_version() / _STUB


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
