"""What the command line after `--` says: whom to ask, and where what others made lies."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fovea_client import FoveaError, Tls
from fovea_client.address import Address

from fovea_dashboard.errors import SettingsError

DEFAULT_ADDRESS = "127.0.0.1:8001"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page works on.

    Attributes:
        endpoints: address by the name that the page calls it.
        samples, gallery, drift: folders of pictures, of evaluations and of drift reports; None for none.
        timeout_s: seconds that one request may take.
        tls: how every endpoint is spoken to; None for plain text, or what an address says.
    """

    endpoints: dict[str, str]
    samples: Path | None
    gallery: Path | None
    drift: Path | None
    timeout_s: float
    tls: Tls | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"the command line after -- cannot be followed: {message}")


def read_settings(words: Sequence[str]) -> Settings:
    """The settings in the words that stand after `--`.

    Raises:
        SettingsError: an unknown option, an address that is none, a name given twice, a folder that is not there.
    """
    parser = _Parser(prog="app.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--url", action="append", metavar="[NAME=]HOST:PORT", dest="urls")
    for name in ("samples", "gallery", "drift"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR")
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    parser.add_argument("--timeout-s", type=float, default=30.0)
    options = parser.parse_args(list(words))
    for name in ("samples", "gallery", "drift"):
        _check_folder(name, getattr(options, name))
    if not 0 < options.timeout_s <= 600:
        raise SettingsError(f"--timeout-s is {options.timeout_s:g}: give seconds above 0, at most 600")
    endpoints = _endpoints(options.urls or [DEFAULT_ADDRESS])
    tls = _tls(options.ca, options.cert, options.key)
    return Settings(endpoints, options.samples, options.gallery, options.drift, options.timeout_s, tls)


def _tls(authority: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
    if not (authority or certificate or key):
        return None
    tls = Tls(authority, certificate, key)
    try:
        tls.channel_credentials()  # now, and not when the first visitor comes
    except FoveaError as error:
        raise SettingsError(f"--ca, --cert, --key: {error}") from error
    return tls


def _endpoints(urls: Sequence[str]) -> dict[str, str]:
    endpoints: dict[str, str] = {}
    for url in urls:
        name, equals, address = url.partition("=")
        address = address if equals else url
        name = name if equals and name else address
        if name in endpoints:
            raise SettingsError(f"--url {url}: {name!r} is there already; give every endpoint another name")
        try:
            endpoints[name] = Address.parse(address).text
        except FoveaError as error:
            raise SettingsError(f"--url {url}: {error}") from error
    return endpoints


def _check_folder(option: str, folder: Path | None) -> None:
    # A drift report may come later than the page.
    if folder is not None and option != "drift" and not folder.is_dir():
        raise SettingsError(f"--{option} {folder}: there is no such folder")
