"""Data sets that are drawn in a second, for whoever trains only to see that it works."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_vessels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, two eyes each, in the CHASE_DB1 layout."""
    from training.synthetic import write_dataset

    return write_dataset(tmp_path_factory.mktemp("vessels"), subjects=4, seed=1, size_px=128)


@pytest.fixture(scope="session")
def tiny_eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients of four classes, in class folders."""
    from training.synthetic import write_eye_disease

    return write_eye_disease(tmp_path_factory.mktemp("eyes"), subjects=12, seed=1, size_px=128)


@pytest.fixture(scope="session")
def eye_disease_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty patients in four class folders."""
    from training.synthetic import write_eye_disease

    return write_eye_disease(tmp_path_factory.mktemp("eyes") / "set", subjects=20, seed=1, size_px=128)


@pytest.fixture(scope="session")
def dubai_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tile folders of four small pictures."""
    from training.synthetic import write_dubai_aerial

    return write_dubai_aerial(tmp_path_factory.mktemp("dubai") / "set", subjects=3, seed=2, size_px=128)


@pytest.fixture(scope="session")
def landcover_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two orthophotos of 770 rows and 700 columns: one whole tile of 512 pixels each, or 12 × 10 of 64."""
    from training.synthetic import write_landcover_ai

    return write_landcover_ai(tmp_path_factory.mktemp("landcover") / "set", subjects=2, seed=3, size_px=700)


@pytest.fixture(scope="session")
def tiny_tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tile folders from above, with colour masks."""
    from training.synthetic import write_dubai_aerial

    return write_dubai_aerial(tmp_path_factory.mktemp("tiles"), subjects=3, seed=1, size_px=128)


@pytest.fixture(scope="module")
def unplotted() -> Iterator[None]:
    """Runs draw no curves, which take a third of a tiny run: for tests of what comes before and after them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.gallery.Gallery.save", lambda *_: None)
        yield
