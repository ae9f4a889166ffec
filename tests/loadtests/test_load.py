import argparse
from pathlib import Path

import numpy as np
import pytest

from loadtests.arrivals import shape_from
from loadtests.endpoint import Endpoint
from loadtests.errors import InvalidScheduleError
from loadtests.flags import (
    LOAD_DEFAULTS,
    add_endpoint_arguments,
    add_load_arguments,
    endpoint_from,
    load_from,
    to_arguments,
)
from loadtests.images import image_set
from loadtests.load import Load


@pytest.mark.parametrize(
    ("endpoint", "load"),
    [
        (Endpoint("h:1", "t"), Load(("a",), 2.0, 3.0)),
        (
            Endpoint("h:1", "t", 2.5, 3, Path("token"), Path("ca"), Path("cert"), Path("key"), "name", True),
            Load(("a", "b=2"), 0.1, 3.0, 1.0, "constant", shape_from("ramp:start=0.25"), Path("t.csv"), 7, 9),
        ),
    ],
)
def test_flags_hand_everything_on(endpoint: Endpoint, load: Load) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--closed-loop-users", type=int, default=0)
    add_endpoint_arguments(parser)
    add_load_arguments(parser)
    options = parser.parse_args(to_arguments(endpoint, load))
    # Locust's master sends the options to its workers as plain values.
    assert all(isinstance(value, str | int | float | list | None) for value in vars(options).values())
    assert (endpoint_from(options), load_from(options, LOAD_DEFAULTS)) == (endpoint, load)


def test_a_trace_names_images_and_others_take_turns(images: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("time_s,image\n0,b.JPG\n0.1,\n0.2,b.JPG\n0.3,\n")
    load = Load((str(images),), 1, 1, trace=trace)
    found = image_set(load.images)
    carried = load.carried(found, 4)
    assert [found.paths[place].name for place in carried[[0, 2]]] == ["b.JPG", "b.JPG"]
    np.testing.assert_array_equal(carried[[1, 3]], found.sequence(4, 0)[[1, 3]])
    trace.write_text("time_s,image\n0,c.png\n")
    with pytest.raises(InvalidScheduleError, match=r"c\.png, which is not among the images"):
        load.carried(found, 1)


def test_a_trace_that_is_over_before_the_warm_up_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time_s\n0.5\n")
    with pytest.raises(InvalidScheduleError, match="no request"):
        Load((), 1, 1, 1, trace=tmp_path / "trace.csv").due_ns()


def test_a_token_file_that_cannot_be_read_is_refused_without_its_words(tmp_path: Path) -> None:
    from fovea_client.errors import InvalidCredentialsError

    with pytest.raises(InvalidCredentialsError, match="cannot be read"):
        Endpoint("127.0.0.1:1", "t", token_file=tmp_path / "none").connect()
