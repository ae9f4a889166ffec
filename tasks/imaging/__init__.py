"""Pictures as pure functions: encoded bytes → upright RGB → the network's size → back to the picture's own size."""

from tasks.imaging.decoding import decode
from tasks.imaging.fundus import field_of_view
from tasks.imaging.geometry import Geometry, fit, square_around, unfit
from tasks.imaging.overlay import overlay

__all__ = ["Geometry", "decode", "field_of_view", "fit", "overlay", "square_around", "unfit"]
