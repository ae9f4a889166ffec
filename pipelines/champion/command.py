"""The commands `promote`, `rollback` and `champions`."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.champion.journal import Entry, read_journal
from pipelines.champion.pointer import adopt, current, name_of, promote, roll_back
from pipelines.commands import Commands, add_champion
from pipelines.errors import PipelineError, RefusedError


def add_commands(commands: Commands) -> None:
    """Add them to the front door."""
    promoted = commands.add("promote", _promote, "let a judged release be the champion; 3 if it was refused")
    promoted.add_argument("--challenger", type=Path, required=True, help="a placed release")
    promoted.add_argument("--verdict", type=Path, required=True, help="of `python -m pipelines judge`")
    promoted.add_argument("--why", default="", help="a sentence for the journal")
    promoted.add_argument("--again", action="store_true", help="though it was rolled back before")
    rolled = commands.add("rollback", _roll_back, "let the release be champion that was it before")
    rolled.add_argument("--why", default="asked for", help="a sentence for the journal")
    shown = commands.add("champions", _show, "which releases were champion, when and why")
    for parser in (promoted, rolled, shown):
        add_champion(parser)


def _promote(options: argparse.Namespace, console: Console) -> None:
    from pipelines.judging.verdict import read_verdict  # noqa: PLC0415 - OpenCV takes time that --help need not wait

    verdict = read_verdict(options.verdict)
    name = name_of(options.challenger.resolve())
    if verdict.challenger != name:
        raise PipelineError(f"the verdict is of release {verdict.challenger} and the challenger is {name}; judge it")
    if not verdict.passed:
        raise RefusedError(f"{name} was refused and the champion stays: {verdict.why}")
    release = adopt(options.challenger, options.champion)
    if release.name != verdict.challenger:
        raise PipelineError(f"{options.challenger} became another release, {release.name}, meanwhile; judge it")
    why = f"{options.why}: {verdict.why}" if options.why else verdict.why
    entry = promote(
        release, options.champion, expected=verdict.champion, why=why, verdict=options.verdict, again=options.again
    )
    console.print(_sentence(entry))


def _roll_back(options: argparse.Namespace, console: Console) -> None:
    console.print(_sentence(roll_back(options.champion, options.why)))


def _show(options: argparse.Namespace, console: Console) -> None:
    champion = current(options.champion)
    table = Table(title=f"champion: {champion.name if champion else 'none'}")
    for heading in ("when", "what", "release", "before", "why"):
        table.add_column(heading, overflow="fold")
    for entry in read_journal(options.champion.parent):
        table.add_row(entry.at, entry.action.replace("_", " "), entry.to, entry.previous or "-", entry.why)
    console.print(table)


def _sentence(entry: Entry) -> str:
    return f"{entry.to} is the champion; before it {entry.previous or 'there was none'}"
