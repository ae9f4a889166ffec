"""Every kind of picture comes out as a viewer would show it; everything else comes out as one sentence."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tasks import ImageLimits
from tasks.errors import ImageError
from tasks.imaging import decode

# Left half red, right half blue, one bright row on top: orientation and channel order both show.
PICTURE = np.zeros((40, 60, 3), np.uint8)
PICTURE[:, :30] = (200, 0, 0)
PICTURE[:, 30:] = (0, 0, 200)
PICTURE[0] = (255, 255, 255)


def encode(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def png_header(width_px: int, height_px: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_lossless_formats_come_back_to_the_bit(image_format: str) -> None:
    assert np.array_equal(decode(encode(Image.fromarray(PICTURE), image_format)), PICTURE)


@pytest.mark.parametrize("image_format", ["JPEG", "GIF"])
def test_lossy_formats_come_back_close(image_format: str) -> None:
    difference = np.abs(decode(encode(Image.fromarray(PICTURE), image_format)).astype(int) - PICTURE)
    assert difference[20:, 5:15].max() < 12


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "RGB", "CMYK"])
def test_every_mode_becomes_uint8_rgb(mode: str) -> None:
    image_format = "TIFF" if mode == "CMYK" else "PNG"
    decoded = decode(encode(Image.fromarray(PICTURE).convert(mode), image_format))
    assert decoded.dtype == np.uint8
    assert decoded.shape == PICTURE.shape
    assert decoded.flags.c_contiguous
    assert decoded[0].mean() > decoded[20].mean()


def test_cmyk_jpeg_keeps_its_colours() -> None:
    decoded = decode(encode(Image.fromarray(PICTURE).convert("CMYK"), "JPEG", quality=95))
    assert decoded[20, 10, 0] > 150 > decoded[20, 10, 2]


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_high_byte(image_format: str) -> None:
    grey = np.linspace(0, 65535, 40 * 60, dtype=np.uint16).reshape(40, 60)
    decoded = decode(encode(Image.fromarray(grey), image_format))
    assert np.array_equal(decoded, np.repeat((grey >> 8)[:, :, None], 3, axis=2))


def test_sixteen_bit_colour_png_keeps_its_high_byte() -> None:
    cv2 = pytest.importorskip("cv2")
    wide = PICTURE.astype(np.uint16) * 256 + 77
    data = cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes()
    assert np.array_equal(decode(data), PICTURE)


def test_transparent_pixels_are_black() -> None:
    rgba = np.dstack([PICTURE, np.full((40, 60), 255, np.uint8)])
    rgba[:, :10, 3] = 0
    decoded = decode(encode(Image.fromarray(rgba), "PNG"))
    assert decoded[:, :10].max() == 0
    assert np.array_equal(decoded[:, 10:], PICTURE[:, 10:])


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 1), (8, 3)])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
def test_exif_orientation_is_applied(image_format: str, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(PICTURE, turn)
    options = {"quality": 95} if image_format == "JPEG" else {}
    decoded = decode(encode(Image.fromarray(np.ascontiguousarray(stored)), image_format, exif=exif, **options))
    assert decoded.shape == PICTURE.shape
    assert np.abs(decoded[5:, 5:25].astype(int) - PICTURE[5:, 5:25]).max() < 12


def test_first_frame_of_an_animation_counts() -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data)[20, 10, 0] > 150


JPEG = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)), "JPEG")
BAD = {
    "empty": (b"", "0 bytes"),
    "text": (b"this is not a picture", "not a readable image"),
    "truncated jpeg": (JPEG[: len(JPEG) // 2], "cut off"),
    "truncated png": (encode(Image.fromarray(PICTURE), "PNG")[:-30], "cut off"),
    "header only": (JPEG[:20], "not a readable image"),
    "one pixel": (encode(Image.new("RGB", (1, 1)), "PNG"), "1×1"),
    "thin": (encode(Image.new("RGB", (4000, 8)), "PNG"), "4000×8"),
    "30000 × 30000": (png_header(30000, 30000), "900000000 pixels"),
    "9000 × 9000": (png_header(9000, 9000), "9000×9000"),
    "long": (encode(Image.new("L", (40_000, 40)), "PNG"), "40000×40"),
    "bmp": (encode(Image.fromarray(PICTURE), "BMP"), "not a readable image"),
    "float samples": (encode(Image.fromarray(np.full((40, 60), np.nan, np.float32)), "TIFF"), "32-bit samples"),
    "too many bytes": (bytes(33 * 1024 * 1024), "over the limit of 33,554,432"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(ImageError, match=re.escape(reason)) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


@pytest.mark.timing
def test_size_is_refused_from_the_header() -> None:
    """No pixel of a bomb is decoded: the refusal is quick and cheap although 100 million pixels would follow."""
    import resource
    import time

    bomb = encode(Image.new("1", (10_000, 10_000)), "PNG")
    assert len(bomb) < 100_000
    before_kb, started_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(ImageError, match="10000×10000"):
        decode(bomb)
    assert time.perf_counter() - started_s < 0.1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 20_000


def test_limits_can_be_tightened() -> None:
    with pytest.raises(ImageError, match="limit is 2,000 pixels"):
        decode(JPEG, ImageLimits(max_pixels=2000))


def test_compressed_text_chunk_bomb_is_refused() -> None:
    body = b"Comment\x00\x00" + zlib.compress(bytes(80 * 1024 * 1024))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    data = encode(Image.fromarray(PICTURE), "PNG")
    with pytest.raises(ImageError):
        decode(data[:33] + chunk + data[33:])


def test_random_damage_never_escapes_as_another_error() -> None:
    generator = np.random.default_rng(0)
    for image_format in ("JPEG", "PNG", "TIFF", "GIF"):
        data = bytearray(encode(Image.fromarray(PICTURE), image_format))
        for _ in range(150):
            damaged = bytearray(data)
            for position in generator.integers(0, len(data), 6):
                damaged[position] = generator.integers(256)
            try:
                decoded = decode(bytes(damaged))
            except ImageError:
                continue
            assert decoded.dtype == np.uint8
            assert decoded.ndim == 3
