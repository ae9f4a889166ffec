"""Fovea's client: an encoded image in, a mask out. Needs numpy and tritonclient[grpc], nothing else.

with Client("localhost:8001") as client:
    segmentation = client.segment(Path("eye.png"))
"""

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
from fovea_client.segmentation import ClassInfo, Segmentation
from fovea_client.transport import ModelStatus

__all__ = [
    "ClassInfo",
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
