"""Fovea's client: an encoded image in, a mask or a label out. Needs numpy and tritonclient[grpc], nothing else.

with Client("localhost:8001") as client:
    segmentation = client.segment(Path("eye.png"))
    classification = client.classify(Path("eye.png"))
"""

from fovea_client.classification import Classification
from fovea_client.client import Client
from fovea_client.errors import (
    DeadlineExceededError,
    FoveaError,
    InvalidImageError,
    InvalidRequestError,
    InvalidUrlError,
    ModelNotFoundError,
    OutputError,
    ServerError,
    ServerUnavailableError,
)
from fovea_client.png import encode_png
from fovea_client.segmentation import Segmentation
from fovea_client.task import ClassInfo
from fovea_client.transport import ModelStatus

__all__ = [
    "ClassInfo",
    "Classification",
    "Client",
    "DeadlineExceededError",
    "FoveaError",
    "InvalidImageError",
    "InvalidRequestError",
    "InvalidUrlError",
    "ModelNotFoundError",
    "ModelStatus",
    "OutputError",
    "Segmentation",
    "ServerError",
    "ServerUnavailableError",
    "encode_png",
]
