"""What `mlflow.pyfunc.load_model` calls: a recorded model as a function from pixels to answers."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tasks import TASKS, Kind
from training.serving_module import ServingModule
from training.weights import load_serving_module

Answers = dict[str, npt.NDArray[np.generic]]


class PixelsToAnswers:
    """A network as it is served."""

    def __init__(self, module: ServingModule, kind: Kind) -> None:
        self.module = module
        self.kind = kind

    def predict(self, pixels: npt.NDArray[np.uint8] | dict[str, npt.NDArray[np.uint8]]) -> Answers:
        """Return the outputs by the names of the signature; pixels are uint8 (batch, height, width, 3), RGB."""
        batch = pixels["pixels"] if isinstance(pixels, dict) else pixels
        with torch.inference_mode():
            answer = self.module(torch.from_numpy(np.ascontiguousarray(batch)))
        if self.kind is Kind.SEMANTIC_SEGMENTATION:
            return {"classes": answer[0].numpy(), "probability": answer[1].numpy()}
        return {"probability": answer.numpy()}


def _load_pyfunc(path: str) -> PixelsToAnswers:
    """Return the model of a model folder; the name is MLflow's."""
    module, card = load_serving_module(Path(path))
    return PixelsToAnswers(module, TASKS[card.task].kind)
