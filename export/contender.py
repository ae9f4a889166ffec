"""One artefact under one runtime in a process of its own, for `benchmark`: so that its memory can be told.

`python -m export.contender RUNTIME FILE THREADS SIZE_PX` loads the file, runs one picture, says `ready`, and then
answers each line of its input by running the picture once more and the seconds that it took; `end` by its peak memory
in bytes. Only the runtime asked for is imported.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Run = Callable[[npt.NDArray[np.uint8]], object]


def main(words: list[str]) -> int:
    """Serve the requests on standard input and return 0."""
    runtime, file, threads, size_px = words
    run = RUNTIMES[runtime](Path(file), int(threads))
    picture = np.random.default_rng(0).integers(0, 256, (1, int(size_px), int(size_px), 3), dtype=np.uint8)
    run(picture)
    print("ready", flush=True)  # noqa: T201 - the answer to who asked
    for line in sys.stdin:
        if line.strip() == "end":
            break
        started_s = time.perf_counter()
        run(picture)
        print(time.perf_counter() - started_s, flush=True)  # noqa: T201
    print(_peak_bytes(), flush=True)  # noqa: T201
    return 0


def _peak_bytes() -> int:
    """Return this process's peak memory; getrusage would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _eager(model: Path, threads: int) -> Run:
    import torch  # noqa: PLC0415 - see the module's docstring

    from training.weights import load_serving_module  # noqa: PLC0415

    torch.set_num_threads(threads)
    module, _ = load_serving_module(model)
    return lambda picture: _without_gradients(module, picture)


def _torchscript(file: Path, threads: int) -> Run:
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    module = torch.jit.load(str(file))  # type: ignore[no-untyped-call]
    return lambda picture: _without_gradients(module, picture)


def _without_gradients(module: Callable[..., object], picture: npt.NDArray[np.uint8]) -> object:
    import torch  # noqa: PLC0415

    with torch.inference_mode():
        return module(torch.from_numpy(picture))


def _onnxruntime(file: Path, threads: int) -> Run:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads would take the processor from the other contenders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda picture: session.run(None, {name: picture})


def _openvino(file: Path, threads: int) -> Run:
    import openvino  # noqa: PLC0415

    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(str(file)), "CPU", hints)
    return lambda picture: compiled([picture])


RUNTIMES: dict[str, Callable[[Path, int], Run]] = {
    "pytorch": _eager,
    "torchscript": _torchscript,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
