"""Fovea's client: an encoded image in, a mask or a label out. Needs numpy and tritonclient[grpc], nothing else.

with Client("localhost:8001") as client:
    segmentation = client.segment(Path("eye.png"))
    classification = client.classify(Path("eye.png"))

`AsyncClient` is the same for asyncio.
"""

from fovea_client.async_client import AsyncClient
from fovea_client.classification import Classification
from fovea_client.client import Client
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import (
    AccessDeniedError,
    DeadlineExceededError,
    FoveaError,
    InvalidCredentialsError,
    InvalidImageError,
    InvalidRequestError,
    InvalidUrlError,
    ModelNotFoundError,
    OutputError,
    ServerError,
    ServerUnavailableError,
)
from fovea_client.many import Outcome
from fovea_client.png import encode_png
from fovea_client.requests import ModelStatus
from fovea_client.retry import Retry
from fovea_client.segmentation import Segmentation
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.tiled.result import TiledSegmentation
from fovea_client.timings import ServerTimings

__all__ = [
    "AccessDeniedError",
    "AsyncClient",
    "ClassInfo",
    "Classification",
    "Client",
    "Credentials",
    "DeadlineExceededError",
    "FoveaError",
    "InvalidCredentialsError",
    "InvalidImageError",
    "InvalidRequestError",
    "InvalidUrlError",
    "ModelNotFoundError",
    "ModelStatus",
    "Outcome",
    "OutputError",
    "Retry",
    "Segmentation",
    "ServerError",
    "ServerTimings",
    "ServerUnavailableError",
    "TaskInfo",
    "TiledSegmentation",
    "Tls",
    "encode_png",
]
