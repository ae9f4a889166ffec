"""When requests are due, decided before the first one is sent.

A schedule that is fixed beforehand cannot be slowed down by the server it measures. Walking it is `open_loop`'s part.
"""

from loadtests.arrivals.shapes import SHAPES, STEADY, Shape, shape_from
from loadtests.arrivals.times import NS_PER_S, Spacing, arrival_times_ns
from loadtests.arrivals.trace import Trace, read_trace

__all__ = ["NS_PER_S", "SHAPES", "STEADY", "Shape", "Spacing", "Trace", "arrival_times_ns", "read_trace", "shape_from"]
