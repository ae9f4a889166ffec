"""What the words after `--` may say of TLS, and that it reaches the connection."""

from pathlib import Path

import pytest
from fovea_client import FoveaError, Tls
from fovea_dashboard.endpoint import Endpoint
from fovea_dashboard.errors import SettingsError
from fovea_dashboard.settings import read_settings

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


def test_an_authority_is_for_every_endpoint(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    settings = read_settings(["--url", "a=h:1", "--url", "b=h:2", "--ca", str(tmp_path / "ca.crt")])
    assert settings.tls == Tls(tmp_path / "ca.crt")


def test_without_one_the_address_decides() -> None:
    assert read_settings([]).tls is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--ca", "nowhere.crt"], r"--ca, --cert, --key: .*nowhere\.crt cannot be read"),
        (["--cert", __file__], "certificate_chain and private_key together"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(words: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        read_settings(words)


def test_the_connection_has_it() -> None:
    with pytest.raises(FoveaError, match=r"nowhere\.crt cannot be read"):
        Endpoint("h:1", 1.0, Tls(Path("nowhere.crt")))
