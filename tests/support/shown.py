"""The commands that README and tutorial show, and a checkout that they can be run in without touching this one."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from doors import OFFLINE
from pages import ROOT, Block, blocks, inline

PROGRAMS = ("make", "python", "fovea", "git", "cd", ".venv/bin/python", ".venv/bin/fovea")
_COMMENT = re.compile(r"\s+#.*$")
_PLACEHOLDER = re.compile(r"<[^<>]+>")


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, continued lines joined and comments taken off; a drawing has none."""
    if block.kind not in ("indented", "sh"):
        return []
    joined = re.sub(r" *\\\n\s*", " ", "\n".join(block.lines)).splitlines()
    lines = [_COMMENT.sub("", line) for line in joined if line.strip()]
    if any("─▶" in line for line in lines):
        return []
    strange = [line for line in lines if line.split()[0] not in PROGRAMS]
    assert not strange, f"{strange} are neither commands nor a drawing: use a fence for what is no command"
    return lines


def shown_commands(page: Path) -> list[str]:
    """Return every command of a page, in blocks and within sentences, each once."""
    found = [command for block in blocks(page) for command in commands_of(block)]
    found += [code for code in inline(page) if code.split() and code.split()[0] in PROGRAMS]
    return list(dict.fromkeys(found))


def expanded(command: str) -> list[list[str]]:
    """Return the words of what a command runs: a target's recipe, as make expands it, or the command itself."""
    filled = _PLACEHOLDER.sub("given", command)
    if not filled.startswith("make "):
        return [shlex.split(filled)]
    options = ["-n", "-o", ".venv/.installed", "--no-print-directory"]
    made = subprocess.run(
        ["make", *options, *shlex.split(filled)[1:]], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, f"{command}: {made.stderr}"
    return [shlex.split(line) for line in made.stdout.replace("\\\n", " ").splitlines() if line.strip()]


class Checkout:
    """A folder that looks like a fresh checkout: links to what git has, an environment, and nothing built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in {line.split("/")[0] for line in listed.splitlines()}:
            (folder / name).symlink_to(ROOT / name)
        self._install()

    def _install(self) -> None:
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, words in {"python": "", "fovea": "-m fovea_client", "streamlit": "-m streamlit"}.items():
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
            (programs / name).chmod(0o755)
        (self.folder / ".venv" / ".installed").touch()

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell has, without a way out of the machine."""
        searched = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        # A make that runs the tests would have the one that a reader types say which folder it enters.
        outside = {name: value for name, value in OFFLINE.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return outside | {"PATH": searched, "COLUMNS": "80", "PYTHONUNBUFFERED": "1"}

    def run(self, command: str, replaced: Mapping[str, str], more: str = "", statuses: tuple[int, ...] = (0,)) -> str:
        """Run a command as it is shown, with what a reader would fill in, and return what it printed."""
        for shown, actual in replaced.items():
            command = command.replace(shown, actual)
        done = subprocess.run(
            ["bash", "-c", f"{command} {more}"],
            cwd=self.folder,
            env=self.environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
        )
        assert done.returncode in statuses, f"{command} {more} ended with {done.returncode}: {done.stdout[-3000:]}"
        return done.stdout


def kinds(text: str) -> Iterator[str]:
    """Yield the kind of each line: what is left without numbers, digests, results and the width of tables."""
    for line in text.splitlines():
        plain = re.sub(r"\b(?=\w*\d)[0-9a-f]{6,}\b", "0", line)
        plain = re.sub(r"[-+]?\d[\d.,]*(e[-+]\d+)?%?", "0", plain)
        plain = re.sub(r"\b(met|missed|passed|failed|invalid)\b", "judged", plain)
        plain = re.sub(r"[─━┓┏┡╇┩┳┬┌┐└┘├┤┴╀\s]+", " ", plain).strip()
        if plain:
            yield plain
