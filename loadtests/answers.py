"""The contract of a segmentation endpoint's tensors, as a client sees it, and whether an answer keeps it.

A wrong answer that comes fast must not count as a fast answer. Whether the mask is a good one is left to training's
evaluation and to monitoring.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

IMAGE_INPUT = "image"
OUTPUTS = ("mask", "probability")


def fault_in(outputs: Mapping[str, NDArray[np.generic]]) -> str | None:
    """What is wrong with an answer, or None.

    Expected: `mask` and `probability`, both uint8, shape [H, W], not empty, of the same size.
    """
    for name in OUTPUTS:
        if name not in outputs:
            return f"wrong answer: output '{name}' is missing"
        if outputs[name].dtype != np.uint8:
            return f"wrong answer: '{name}' is {outputs[name].dtype}, not uint8"
        if outputs[name].ndim != 2 or outputs[name].size == 0:
            return f"wrong answer: '{name}' has shape {list(outputs[name].shape)}, not [H, W]"
    if outputs["mask"].shape != outputs["probability"].shape:
        return "wrong answer: 'mask' and 'probability' differ in shape"
    return None
