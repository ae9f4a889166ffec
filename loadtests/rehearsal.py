"""What is asked of the server before the load: one image after the other, for answers to compare with under load."""

from contextlib import closing
from pathlib import Path
from threading import Event

from fovea_client import FoveaError
from fovea_client.errors import InvalidRequestError
from fovea_client.requests import ConfigRequest, InferRequest, ModelConfig
from fovea_client.task import task_info
from fovea_client.transport import GrpcTransport

from loadtests.answers import Outputs, contract_of
from loadtests.asking import input_name
from loadtests.correctness import images_to_expect
from loadtests.drive import Endpoint, Interruption, Load
from loadtests.expected import Answers, Expected, read_expected
from loadtests.images import image_set, read_payload
from loadtests.slo import Correctness

OWN_ANSWERS = "what the server answered before the load"
# A closed loop has no schedule: the images of so many requests are looked at.
CLOSED_LOOP_REQUESTS = 10_000
POLL_S = 0.05


def rehearse(
    endpoint: Endpoint, load: Load, correctness: Correctness, out: Path, *, source: Path | None, stop: Interruption
) -> str:
    """Write what answers are compared with below `out`, for the generator, and return what it is, to end a sentence.

    `source` is a folder of masks or a file of labels; None asks the server. Raises NoExpectationError, and FoveaError
    where the server does not describe its model.
    """
    images = image_set(load.images)
    count = load.due_ns().size or CLOSED_LOOP_REQUESTS
    numbers = images_to_expect(load.carried(images, count), correctness.sample_every)
    with closing(endpoint.connect()) as transport:
        config = transport.send(ConfigRequest(endpoint.task), timeout_s=endpoint.timeout_s)
        if source is None:
            paths = {number: images.paths[number] for number in numbers}
            answers = _own_answers(transport, endpoint, config, paths, stop)
        else:
            answers = read_expected(source, numbers, images.paths, task_info(config))
    own = source is None
    Expected(answers, correctness.sample_every, correctness.agreement, own).save(out)
    return OWN_ANSWERS if own else str(source)


def _own_answers(
    transport: GrpcTransport, endpoint: Endpoint, config: ModelConfig, paths: dict[int, Path], stop: Interruption
) -> Answers:
    """An image that the server refuses, or answers in a wrong form, is left out: its requests fail by themselves.

    A server that does not answer at all ends the rehearsal: the load will show it.
    """
    contract = contract_of(config)
    answers = {}
    for number, path in paths.items():
        request = InferRequest(endpoint.task, {input_name(config): read_payload(path)}, contract.outputs)
        try:
            outputs = _ask(transport, request, endpoint.timeout_s, stop)
        except InvalidRequestError:
            continue
        except FoveaError:
            break
        if outputs is None:
            break
        if contract.fault_in(outputs) is None:
            answers[number] = outputs[contract.outputs[0]]
    return answers


def _ask(transport: GrpcTransport, request: InferRequest, timeout_s: float, stop: Interruption) -> Outputs | None:
    """The answer, or None when the run was interrupted before it came: a signal does not wait for a slow server."""
    done = Event()
    pending = transport.start(request, timeout_s=timeout_s, on_done=done.set)
    while not done.wait(POLL_S):
        if stop.signal_name:
            pending.cancel()
            return None
    outputs: Outputs = pending.result().outputs
    return outputs
