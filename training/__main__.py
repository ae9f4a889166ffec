"""Front door: `python -m training [command] key=value …`."""

import sys

USAGE = """usage: python -m training [train] key=value …     train and judge; the keys: training/config.py
       python -m training --multirun key=a,b …    one run for every combination
       python -m training crossvalidate key=value … [baseline=true] [only=[0,2]]
       python -m training tune key=value … [trials=20] [timeout_s=…] [study=…] [search=FILE] [pruner=median]
       python -m training evaluate task=… root=… [model=…]
       python -m training ingest task=… root=… [source=…]
       python -m training card task=… [model=…]
       python -m training promote task=… [version=…] [uri=…] [force=true]
       python -m training ship model=… to=weights/<task>
       python -m training synthesise --root FOLDER …

examples: python -m training data.root=build/data/synthetic
          python -m training data.root=<folder> trainer.epochs=20 seed=3 out=build/training/mine
          python -m training data.root=<folder> resume=build/training/vessels
          python -m training crossvalidate task=eye_disease data.root=<folder> baseline=true
          python -m training tune data.root=<folder> data.validation_share=0.25 trials=30 out=build/tuning

a stopped train is continued with resume=<its out>; crossvalidate and tune continue by themselves
status: 0 done, 1 could not be done, 2 wrong call, 128 and the signal's number if stopped"""

# command → where it is; imported only when it is called, because some of them take seconds to import.
COMMANDS = {
    "train": ("training.command", "run_training"),
    "--multirun": ("training.experiments.multirun", "run_multirun"),
    "multirun": ("training.experiments.multirun", "run_multirun"),
    "crossvalidate": ("training.experiments.crossvalidation", "run_crossvalidate"),
    "tune": ("training.experiments.tuning", "run_tune"),
    "evaluate": ("training.evaluation.command", "run_evaluate"),
    "ingest": ("training.ingest_command", "run_ingest"),
    "card": ("training.cards", "run_card"),
    "promote": ("training.models", "run_promote"),
    "ship": ("training.models", "run_ship"),
    "synthesise": ("training.synthetic.command", "run_synthesise"),
}


_HELP_THEMSELVES = ("ingest", "synthesise")


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 1 could not be done, 2 wrong call, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["-h"], ["--help"]) or not words:
        sys.stdout.write(USAGE + "\n")
        return 0 if words else 2
    name, rest = _command(words)
    if {"-h", "--help"} & set(rest) and name not in _HELP_THEMSELVES:
        sys.stdout.write(USAGE + "\n")
        return 0
    return _run(name, rest)


def _command(words: list[str]) -> tuple[str, list[str]]:
    # Hydra's own flag may stand anywhere.
    for flag in ("--multirun", "-m"):
        if flag in words:
            return "--multirun", [word for word in words if word != flag]
    return (words[0], words[1:]) if words[0] in COMMANDS else ("train", words)


def _run(name: str, words: list[str]) -> int:
    import importlib  # noqa: PLC0415 - nothing above may take time: Ctrl-C must be heard from the start

    from training.interrupt import imports_die_quietly  # noqa: PLC0415

    module, function = COMMANDS[name]
    with imports_die_quietly():
        from rich.console import Console  # noqa: PLC0415

        from training.quiet import ask_nobody, quieten  # noqa: PLC0415

        ask_nobody()
        command = getattr(importlib.import_module(module), function)
        quieten()
    # evaluate writes JSON to standard output and nothing else.
    console = Console(highlight=False, soft_wrap=True, stderr=name == "evaluate")
    status: int = command(words, console)
    return status


if __name__ == "__main__":
    sys.exit(main())
