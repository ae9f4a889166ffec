"""`fovea completion bash|zsh|fish`: completion scripts, made from the very parser that will read the words."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fovea_client.cli.exits import Exit
from fovea_client.cli.terminal import say


@dataclass(frozen=True, slots=True)
class _Word:
    """An option: its name, what it is for, whether a value follows, whether that value is a file."""

    name: str
    meaning: str
    takes_value: bool
    takes_file: bool


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: its name, what it does, its options, whether files follow, and the words that may."""

    name: str
    meaning: str
    options: tuple[_Word, ...]
    takes_files: bool
    choices: tuple[str, ...]


def completion(arguments: argparse.Namespace) -> Exit:
    """Print the script of the shell that was asked for."""
    say(_SCRIPTS[arguments.shell](list(_commands(arguments.parser))))
    return Exit.DONE


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    choices = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    meanings = {action.dest: action.help or "" for action in choices._choices_actions}
    for name, command in choices.choices.items():
        options = [_word(action) for action in command._actions if action.option_strings]
        positional = [action for action in command._actions if not action.option_strings]
        words = tuple(str(word) for action in positional for word in action.choices or ())
        yield _Command(name, meanings[name], tuple(options), any(a.type is Path for a in positional), words)


def _word(action: argparse.Action) -> _Word:
    # What argparse would fill into a help text says nothing to a shell.
    meaning = (action.help or "").replace(" (default: %(default)s)", "").replace("%(default)s", str(action.default))
    return _Word(action.option_strings[-1], meaning, action.nargs != 0, action.type is Path)


def _bash(commands: list[_Command]) -> str:
    cases = [
        f"    {command.name}) words='{' '.join((*command.choices, *(option.name for option in command.options)))}' ;;"
        for command in commands
    ]
    values = sorted({option.name for command in commands for option in command.options if option.takes_value})
    files = sorted({option.name for command in commands for option in command.options if option.takes_file})
    lines = [
        "# bash: source <(fovea completion bash)",
        "_fovea() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""',
        '  case "${COMP_WORDS[1]}" in',
        *cases,
        "  esac",
        f"  if [ \"$COMP_CWORD\" -eq 1 ]; then words='{' '.join(command.name for command in commands)}'; fi",
        '  case "$previous" in',
        f'    {"|".join(files)}) COMPREPLY=($(compgen -f -- "$current")); return ;;',
        f"    {'|'.join(name for name in values if name not in files)}) COMPREPLY=(); return ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
        '  if [ "${#COMPREPLY[@]}" -eq 0 ] && [ "${current#-}" = "$current" ]; then',
        '    COMPREPLY=($(compgen -f -- "$current"))',
        "  fi",
        "}",
        "complete -o filenames -F _fovea fovea",
    ]
    return "\n".join(lines)


def _zsh(commands: list[_Command]) -> str:
    lines = ["#compdef fovea", "# zsh: fovea completion zsh > a folder of $fpath, named _fovea", "_fovea() {"]
    lines += ["  local -a commands=("]
    lines += [f"    {_quote(f'{command.name}:{command.meaning}')}" for command in commands]
    lines += ["  )", "  if (( CURRENT == 2 )); then _describe command commands; return; fi", '  case "$words[2]" in']
    for command in commands:
        specs = [_zsh_option(option) for option in command.options]
        if command.takes_files or command.choices:
            specs.append(_quote("*:file:_files" if command.takes_files else f"2:word:({' '.join(command.choices)})"))
        lines.append(f"    {command.name}) _arguments {' '.join(specs)} ;;")
    return "\n".join([*lines, "  esac", "}", '_fovea "$@"'])


def _zsh_option(option: _Word) -> str:
    meaning = option.meaning.replace("[", "(").replace("]", ")").replace(":", " ")
    value = (":file:_files" if option.takes_file else ":value:") if option.takes_value else ""
    return _quote(f"{option.name}[{meaning}]{value}")


def _fish(commands: list[_Command]) -> str:
    lines = ["# fish: fovea completion fish | source", "complete -c fovea -f"]
    for command in commands:
        lines.append(f"complete -c fovea -n __fish_use_subcommand -a {command.name} -d {_quote(command.meaning)}")
        here = f"complete -c fovea -n '__fish_seen_subcommand_from {command.name}'"
        lines += [f"{here} {_fish_option(option)}" for option in command.options]
        if command.choices:
            lines.append(f"{here} -a {_quote(' '.join(command.choices))}")
        if command.takes_files:
            lines.append(f"{here} -F")
    return "\n".join(lines)


def _fish_option(option: _Word) -> str:
    value = (" -r -F" if option.takes_file else " -x") if option.takes_value else ""
    return f"-l {option.name.removeprefix('--')} -d {_quote(option.meaning)}{value}"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
SHELLS = tuple(_SCRIPTS)
