"""The front door for threads: an image in, a mask or a label out. What happens behind it is in `operations`."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from fovea_client.address import Address
from fovea_client.classification import Classification
from fovea_client.credentials import Credentials, Tls
from fovea_client.image import ImageInput
from fovea_client.many import Outcome, in_order
from fovea_client.observing import Observer, observed
from fovea_client.operations import Operations
from fovea_client.requests import ModelStatus, Tensor, Transport
from fovea_client.retry import Retry
from fovea_client.segmentation import Segmentation
from fovea_client.steps import Driver, Steps
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.tiled.result import OnProgress, TiledSegmentation

T = TypeVar("T")


class Client:
    """A connection to an endpoint; use it in a `with` block or call `close`. Threads may share it.

        with Client("localhost:8001") as client:
            vessels = client.segment(Path("eye.png")).mask

    Args:
        url: `host:port` of the server's gRPC port; several with commas; `dns:///name:port` for every address behind a
            name, such as a headless service's. `grpcs://` in front asks for TLS. Over several addresses calls go in
            turn, past those whose connection is down; see `fovea_client.channel` for what that means when pods come.
        timeout_s: seconds that one call may take, retries and pauses included, unless the call says otherwise.
        retry: how calls that found no server, or a busy one, are sent again; `Retry.none()` for never.
        hedge_after_s: send a request that is unanswered for so many seconds a second time (to the next address, if
            there are several) and take the first answer; None for never. Take a latency that few calls reach.
        tls: certificates, where `grpcs://` and gRPC's own authorities do not do.
        credentials: a bearer token, the headers of Triton's restricted protocols.
        transport: what carries the calls in place of a gRPC connection, for a test; the client closes it.
        observers: told of every call, such as `fovea_client.otel.Tracing()` and `fovea_client.prometheus.Metrics()`.

    Raises:
        InvalidUrlError: the address cannot be used. A server that does not answer shows in the first call, not here.
        InvalidCredentialsError: a certificate, token or header cannot be used, or would travel readable.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        retry: Retry = Retry(),  # noqa: B008 - a frozen value
        hedge_after_s: float | None = None,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
        transport: Transport | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._address = Address.parse(url).text
        self._operations = Operations(self._address, timeout_s=timeout_s, retry=retry, hedge_after_s=hedge_after_s)
        self._driver = Driver(transport or _connect(url, tls, credentials))
        self._observers = tuple(observers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def close(self) -> None:
        """Give the connection back; closing twice is fine, a call after it raises InvalidRequestError."""
        self._driver.close()

    def segment(self, image: ImageInput, *, task: str = "vessels", timeout_s: float | None = None) -> Segmentation:
        """The image's segmentation, at its own size.

        Args:
            image: a JPEG, PNG, TIFF or GIF file as bytes, as its path or as a file object opened to read bytes; or
                pixels, uint8 HxW grey or HxWx3 in RGB order (OpenCV reads BGR), which travel as lossless PNG.
            task: name of the task's model.
            timeout_s: seconds for the whole call, None for the client's own.

        Raises:
            InvalidImageError: the image was refused, here before sending or by the server.
            FoveaError: one of its other subclasses, see `fovea_client.errors`.
        """
        return self._run(self._operations.segment(image, task, timeout_s), "segment", task)

    def classify(
        self, image: ImageInput, *, task: str = "eye_disease", timeout_s: float | None = None
    ) -> Classification:
        """The image's class; arguments and errors as for `segment`."""
        return self._run(self._operations.classify(image, task, timeout_s), "classify", task)

    def segment_many(
        self, images: Iterable[ImageInput], *, task: str = "vessels", in_flight: int = 8, timeout_s: float | None = None
    ) -> Generator[Outcome[Segmentation], None, None]:
        """The segmentation of every image, in the images' order, each with its result or its error.

        `images` is read only as far as `in_flight` images are being asked for or wait to be taken from the iterator.
        One failure loses no other image; close the iterator, or leave its loop, to stop early.

        Args:
            images: each as for `segment`.
            task: name of the task's model.
            in_flight: how many images at once; each takes a thread.
            timeout_s: seconds for each image, None for the client's own.

        Raises:
            InvalidRequestError: `in_flight` is below 1.
        """
        return in_order(lambda image: self.segment(image, task=task, timeout_s=timeout_s), images, in_flight)

    def segment_tiled(
        self,
        source: Path,
        to: Path,
        *,
        task: str,
        tile_px: int | None = None,
        overlap_px: int | None = None,
        in_flight: int = 4,
        probability: Path | None = None,
        progress: OnProgress | None = None,
    ) -> TiledSegmentation:
        """The segmentation of a picture of any size, as a GeoTIFF that lies where the picture lies. Needs `[geo]`.

        The picture is read and the mask written by windows. The file appears whole when the last tile is joined, or not
        at all. A picture that fits into one tile gets the mask that `segment` gives it.

        Args:
            source: a file that GDAL reads, 8 bits a sample.
            to: where the mask goes; an older file is replaced.
            task: name of the task's model.
            tile_px: side of a tile in the picture's pixels; every tile is scaled to the network's size, so this chooses
                the scale that the network works at. None for the network's own size: no scaling.
            overlap_px: what neighbouring tiles share at least; None for half a tile.
            in_flight: how many tiles at once.
            probability: where a GeoTIFF of the probability goes, None for none.
            progress: called with the tiles done and the tiles in all, after every tile.

        Raises:
            InvalidImageError: the picture cannot be read.
            OutputError: a result cannot be written.
            InvalidRequestError: tile and overlap do not fit each other, or rasterio is missing.
            FoveaError: a tile failed; the message says which.
        """
        from fovea_client.tiled.mosaic import Mosaic  # noqa: PLC0415 - it needs rasterio

        info = self.describe(task)
        info.require(classifies=False)
        with Mosaic(
            source, to, task=info, tile_px=tile_px, overlap_px=overlap_px, probability=probability, progress=progress
        ) as mosaic:
            for outcome in self.segment_many(mosaic.tiles(), task=task, in_flight=in_flight):
                mosaic.take(outcome)
            return mosaic.finish()

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        *,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Tensor]:
        """Any model's outputs by name, as read-only arrays.

        Args:
            model: name of the model.
            inputs: arrays by input name; a BYTES tensor is an array of dtype object that holds bytes.
            outputs: names of the outputs to send back, None for all.
            timeout_s: seconds for the call, None for the client's own.

        Raises:
            FoveaError: one of its subclasses, see `fovea_client.errors`.
        """
        result = self._run(self._operations.infer(model, inputs, outputs, timeout_s), "infer", model)
        return result.outputs

    def describe(self, task: str = "vessels") -> TaskInfo:
        """The task's kind, classes and limits, asked of the server once and then remembered."""
        return self._run(self._operations.describe(task), "describe", task)

    def classes(self, task: str = "vessels") -> tuple[ClassInfo, ...]:
        """The task's classes by index, as `describe` has them."""
        return self.describe(task).classes

    def models(self) -> list[ModelStatus]:
        """Every model version of the server's repository with its state, ready or not."""
        return self._run(self._operations.models(), "models", None)

    def ready(self) -> bool:
        """Whether the server is live and ready; one that cannot be reached in time is not. Asked once, not retried."""
        return self._run(self._operations.ready(), "ready", None)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return once the server is ready; raises ServerUnavailableError when it is not within `timeout_s` seconds."""
        self._run(self._operations.wait_until_ready(timeout_s), "wait_until_ready", None)

    def _run(self, steps: Steps[T], operation: str, model: str | None) -> T:
        if self._observers:
            steps = observed(steps, [observer.started(operation, model) for observer in self._observers])
        return self._driver.run(steps)


def _connect(url: str, tls: Tls | None, credentials: Credentials | None) -> Transport:
    # Here, because importing the messages takes longer than all the rest of the package.
    from fovea_client.transport import GrpcTransport  # noqa: PLC0415

    return GrpcTransport(url, tls=tls, credentials=credentials)
