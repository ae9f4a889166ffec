"""Raster files by windows: the picture that is cut, the GeoTIFFs that are written. The only user of rasterio.

GDAL's own cache is kept small, so that memory depends on the width of the picture and not on its size.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from fovea_client.errors import InvalidImageError, InvalidRequestError, OutputError
from fovea_client.png import Image
from fovea_client.task import ClassInfo

try:
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.windows import Window
except ImportError as error:
    raise InvalidRequestError(
        "tiling reads and writes GeoTIFFs with rasterio: pip install 'fovea-client[geo]'"
    ) from error

NO_DATA = 255
_CACHE_MB = 64
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of whole pixels: rows and columns, each from the first to the one after the last."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def __str__(self) -> str:
        (top, bottom), (left, right) = self.rows, self.columns
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"

    @property
    def window(self) -> Any:
        """The same as rasterio has it."""
        (top, bottom), (left, right) = self.rows, self.columns
        return Window(left, top, right - left, bottom - top)


@contextmanager
def _gdal() -> Iterator[None]:
    """Inside, GDAL caches little. Around every use and not longer: its settings are each thread's own."""
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        yield


def _open(path: Path, mode: str = "r", **profile: Any) -> Any:
    with warnings.catch_warnings():
        # A photograph has no place on earth, and neither has its mask.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **profile)


class RasterSource:
    """A picture in a file that GDAL reads, 8 bits a sample: colour where it has red, green and blue, else grey.

    Raises:
        InvalidImageError: no such picture, or samples that would have to be guessed at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading():
            self._file = _open(path)
        try:
            self._bands = self._choose_bands()
        except InvalidImageError:
            self._file.close()
            raise
        self.height_px, self.width_px = int(self._file.height), int(self._file.width)
        self.lossy = self._file.driver == "JPEG"
        self.partial = any(flags != [rasterio.enums.MaskFlags.all_valid] for flags in self._file.mask_flag_enums)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, area: Area) -> Image:
        """The area's pixels: uint8 HxW grey or HxWx3 RGB. Raises InvalidImageError where the file is damaged."""
        with self._reading():
            planes = self._file.read(self._bands, window=area.window)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1)) if len(self._bands) > 1 else planes[0]

    def has_data(self, area: Area) -> npt.NDArray[np.bool_]:
        """Bool HxW: where the file says that there is a picture, by its no-data value, alpha or mask."""
        with self._reading():
            return np.asarray(self._file.dataset_mask(window=area.window) > 0)

    def georeference(self) -> dict[str, Any]:
        """What places the picture on earth, as rasterio takes it for a new file."""
        if self._file.gcps[0]:
            return {"gcps": self._file.gcps[0], "crs": self._file.gcps[1]}
        return {"transform": self._file.transform, "crs": self._file.crs}

    def tags(self) -> dict[str, str]:
        """What says whether coordinates mean a pixel's corner or its middle."""
        return {key: value for key, value in self._file.tags().items() if key == "AREA_OR_POINT"}

    def _choose_bands(self) -> list[int]:
        if set(self._file.dtypes) != {"uint8"}:
            raise InvalidImageError(
                f"{self.path}: samples are {self._file.dtypes[0]}; scale them to 8 bits, for example with "
                "gdal_translate -ot Byte -scale"
            )
        meaning = list(self._file.colorinterp)
        if ColorInterp.palette in meaning or ColorInterp.cyan in meaning:
            kind = "a palette" if ColorInterp.palette in meaning else "printing colours (CMYK)"
            raise InvalidImageError(
                f"{self.path}: has {kind}; convert it to RGB, a palette with gdal_translate -expand"
            )
        if self._file.tags().get("EXIF_Orientation", "1") != "1":
            raise InvalidImageError(f"{self.path}: is stored turned, as its EXIF orientation says; save it upright")
        if all(colour in meaning for colour in _RGB):
            return [meaning.index(colour) + 1 for colour in _RGB]
        return [1, 2, 3] if len(meaning) > 2 else [1]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with _gdal():
                yield
        except (RasterioError, OSError) as error:
            raise InvalidImageError(f"{self.path}: cannot be read as a picture ({error})") from error


class RasterTarget:
    """A tiled, compressed GeoTIFF of one band that appears at its path whole, at `commit`, or not at all.

    Args:
        path: where it appears; an older file is replaced then and not before.
        source: the picture that it lies over.
        block_px: side of its blocks; areas that are written begin at multiples of it.
        classes: for a mask, whose values then have the classes' colours; None for a probability.
        tags: what a reader may want to know, kept in the file.
    """

    def __init__(
        self,
        path: Path,
        source: RasterSource,
        *,
        block_px: int,
        classes: Sequence[ClassInfo] | None = None,
        tags: dict[str, str],
    ) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
        profile = _profile(source, block_px, classes) | source.georeference()
        with self._writing():
            self._file = _open(self._temporary, "w", **profile)
            self._file.update_tags(**source.tags())
            self._file.update_tags(ns="FOVEA", **tags)
            if classes is not None:
                self._file.write_colormap(1, {info.index: (*info.colour, 255) for info in classes})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, area: Area, plane: Image) -> None:
        """Write uint8 HxW to the area; raises OutputError."""
        with self._writing():
            self._file.write(plane, 1, window=area.window)

    def commit(self) -> None:
        """Let the file appear; raises OutputError when it is not whole, and then nothing appears."""
        with self._writing():
            self._file.close()
        try:
            # GDAL does not always tell of what it could not write.
            read_all_blocks(self._temporary)
        except OutputError as error:
            self._remove()
            message = f"{self.path}: cannot be written (what was written cannot be read again; is the disk full?)"
            raise OutputError(message) from error
        with self._writing():
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind that was not committed."""
        with suppress(RasterioError, OSError):
            self._file.close()
        self._remove()

    def _remove(self) -> None:
        # A name that is too long fails here too, which says nothing new.
        with suppress(OSError):
            self._temporary.unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with _gdal():
                yield
        except (RasterioError, OSError) as error:
            self._remove()
            raise OutputError(f"{self.path}: cannot be written ({error})") from error


def source_tags(path: Path) -> dict[str, str]:
    """What tells this version of a file from another; raises OSError."""
    status = path.stat()
    return {"source_bytes": str(status.st_size), "source_mtime_ns": str(status.st_mtime_ns)}


def read_all_blocks(path: Path) -> dict[str, str]:
    """The tags that `RasterTarget` was given, once every block of the file has been read.

    Raises:
        OutputError: the file is absent, damaged or cut off.
    """
    try:
        with _gdal(), _open(path) as file:
            for _, window in file.block_windows(1):
                file.read(1, window=window)
            return dict(file.tags(ns="FOVEA"))
    except (RasterioError, OSError) as error:
        raise OutputError(f"{path}: is no whole GeoTIFF ({error})") from error


def _profile(source: RasterSource, block_px: int, classes: Sequence[ClassInfo] | None) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "width": source.width_px,
        "height": source.height_px,
        "count": 1,
        "dtype": "uint8",
        "tiled": True,
        "blockxsize": block_px,
        "blockysize": block_px,
        "compress": "deflate",
        # 2 GiB is less than the masks of a country.
        "bigtiff": "if_safer",
        "predictor": 1 if classes is not None else 2,
    } | ({"photometric": "palette", "nodata": NO_DATA if source.partial else None} if classes is not None else {})
