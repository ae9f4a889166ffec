"""`python -m training tune`: better values for some keys, judged by the validation part; never by the held-out fold.

Optuna (Akiba et al., KDD 2019) proposes with tree-structured Parzen estimators (Bergstra et al., NIPS 2011), and stops
what falls behind.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table

from tasks import TaskSpec, get_task
from training.check import check_config
from training.command import exit_status, load_config
from training.config import TrainingConfig
from training.errors import ConfigError, DivergedError, StoppedError, TrainingError
from training.experiments.search_space import FOLDER, SearchSpace, read_space
from training.fitting import check_devices, fit
from training.module import VALIDATION_SCORES
from training.sources import data_digest
from training.split import Split
from training.stored_rows import assignment_digest
from training.tracking import Run, start_run
from training.train import read_split
from training.words import as_typed, own_options

RESULT = "tuning.json"
DATABASE = "study.db"
_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    "hyperband": optuna.pruners.HyperbandPruner,
    "none": optuna.pruners.NopPruner,
}
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass
class TuningOptions:
    """What `tune` takes beside the configuration of a run.

    Attributes:
        trials: how many there shall be in the study, those of earlier calls included.
        timeout_s: no trial starts after this time of this call; no limit if null.
        study: name of the study; the task's if null.
        search: YAML of the search space; `training/conf/search/<task>.yaml` if null.
        pruner: `median`, `hyperband` or `none`.
    """

    trials: int = 20
    timeout_s: float | None = None
    study: str | None = None
    search: str | None = None
    pruner: str = "median"


def run_tune(words: list[str], console: Console) -> int:
    """Search as told and return the exit status."""

    def work() -> int:
        options, overrides = own_options(words, TuningOptions)
        tune(overrides, options, console)
        return 0

    return exit_status(work, console)


def tune(overrides: list[str], options: TuningOptions, console: Console) -> Path:
    """Run trials until there are enough, and return `<out>/tuning.json` with the best values.

    The study lies in `<out>/study.db`; the same call continues it. A trial is a whole run on the training part, judged
    by its last epoch's score on the validation part.

    Raises:
        TrainingError: as `train`; a search space or a study that does not fit.
        StoppedError: a signal; finished trials are kept.
    """
    config = load_config(overrides)
    _check(config, options)
    task, out = get_task(config.task), Path(config.out)
    space = read_space(Path(options.search) if options.search else FOLDER / f"{task.name}.yaml")
    samples, split = read_split(config)
    study = _open_study(config, options, space, assignment_digest(samples), out)
    run = start_run(config, f"{task.name} tuning", data_digest=data_digest(samples))
    search = _Search(overrides, options, space, split, task, out, run, data_digest(samples), console)
    try:
        search.go_on(study)
    except optuna.exceptions.OptunaError as error:
        run.abandon()
        raise TrainingError(f"the study {out / DATABASE} can no longer be used ({_first(error)})") from error
    except BaseException as error:
        run.abandon()
        if isinstance(error, StoppedError):
            done = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))
            told = f"{done} trials are kept in {out / DATABASE}; the same call continues"
            raise StoppedError(error.signal_number, told) from error
        raise
    return search.report(study)


def _check(config: TrainingConfig, options: TuningOptions) -> None:
    check_config(config)
    check_devices(config.trainer)
    wrong = {
        "data.validation_share=0 leaves nothing to judge trials by; give more": config.data.validation_share == 0,
        "tune trains in one process; give trainer.devices=1": config.trainer.devices > 1,
        "tune continues by itself the study it finds in out=; leave resume= out": config.resume is not None,
        f"out={config.out} has a question mark, and a database's address ends there; name another": "?" in config.out,
        f"trials={options.trials} must be at least 1": options.trials < 1,
        f"timeout_s={options.timeout_s} must be above 0": options.timeout_s is not None and options.timeout_s <= 0,
        f"pruner={options.pruner} must be one of {', '.join(_PRUNERS)}": options.pruner not in _PRUNERS,
    }
    for sentence, applies in wrong.items():
        if applies:
            raise ConfigError(sentence)


def _open_study(
    config: TrainingConfig, options: TuningOptions, space: SearchSpace, digest: str, out: Path
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name = options.study or config.task
    try:
        out.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(f"sqlite:///{out / DATABASE}")
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=_PRUNERS[options.pruner](),
        )
    except Exception as error:
        raise TrainingError(
            f"the study {out / DATABASE} cannot be used ({_first(error)}); name another out="
        ) from error
    # With one seed for all calls, a continued study would propose its first values again.
    study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.get_trials(deepcopy=False)))
    _require_same(study, _identity(config, space, digest), out)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        _give_up(study, trial)  # its process is gone
    return study


def _give_up(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> None:
    """End a trial that was interrupted, and ask for its values once more: it says nothing about them."""
    study.set_user_attr("interrupted", [*study.user_attrs.get("interrupted", []), trial.number])
    study.tell(trial.number, state=TrialState.FAIL)
    if trial.params:
        study.enqueue_trial(trial.params)


def _ended(study: optuna.Study) -> int:
    """Return how many trials have said what they had to say."""
    interrupted = study.user_attrs.get("interrupted", [])
    return sum(trial.number not in interrupted for trial in study.get_trials(deepcopy=False, states=_ENDED))


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def _identity(config: TrainingConfig, space: SearchSpace, digest: str) -> str:
    """Return what all trials of a study have in common, as JSON."""
    fields = asdict(config)
    for name in ("out", "resume", "tracking"):
        del fields[name]
    common = {"config": fields, "space": {key: asdict(entry) for key, entry in space.items()}, "data_digest": digest}
    return json.dumps(common, sort_keys=True)


def _require_same(study: optuna.Study, identity: str, out: Path) -> None:
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", identity)
    elif known != identity:
        raise ConfigError(
            f"the study in {out / DATABASE} was begun with other data, keys or values; give them again, or another "
            "study= or out="
        )


@dataclass(frozen=True)
class _Search:
    """A study's surroundings, and the trials that are run in them."""

    overrides: Sequence[str]
    options: TuningOptions
    space: SearchSpace
    split: Split
    task: TaskSpec
    out: Path
    run: Run
    data_digest: str
    console: Console

    def go_on(self, study: optuna.Study) -> None:
        """Run what is missing."""
        began_s = time.monotonic()
        first = _ended(study)
        for number in range(first, self.options.trials):
            if self.options.timeout_s is not None and time.monotonic() - began_s > self.options.timeout_s:
                self.console.print(f"timeout_s={self.options.timeout_s:g} is over after {number} trials")
                return
            said = self._run_trial(study)
            per_trial_s = (time.monotonic() - began_s) / (number + 1 - first)
            left_s = per_trial_s * (self.options.trials - number - 1)
            self.console.print(f"trial {number + 1}/{self.options.trials}  {said}  about {left_s:.0f} s left")

    def report(self, study: optuna.Study) -> Path:
        """Write and print the best values; close the run."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not complete:
            self.run.finish(succeeded=False)
            raise TrainingError(
                f"no trial of {len(study.trials)} came to its end; widen the search space, or lower its rates"
            )
        best = study.best_trial
        overrides = [*self.overrides, *(f"{key}={value}" for key, value in best.user_attrs["typed"].items())]
        document = {
            "task": self.task.name,
            "score": VALIDATION_SCORES[self.task.kind],
            "judged_by": "the validation part; the held-out fold was not read",
            "best": {"trial": best.number, "value": best.value, "overrides": best.user_attrs["typed"]},
            "command": as_typed("", [word for word in overrides if not word.startswith("out=")]),
            "trials": [_described(trial) for trial in study.get_trials(deepcopy=False)],
        }
        path = self.out / RESULT
        path.write_text(json.dumps(document, indent=1) + "\n")
        self.run.log_metrics({"best": float(best.value or 0.0)})
        self.run.log_file(path)
        self.run.finish(succeeded=True)
        self.console.print(_table(study, self.space))
        self.console.print(f"judged by the validation part; the held-out fold was not read. All trials: {path}")
        self.console.print(document["command"], markup=False)
        return path

    def _run_trial(self, study: optuna.Study) -> str:
        trial = study.ask()
        typed = {key: entry.suggest(trial, key) for key, entry in self.space.items()}
        trial.set_user_attr("typed", typed)
        try:
            value = self._score(trial, typed)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
            return "stopped: it fell behind"
        except (ConfigError, DivergedError) as error:
            trial.set_user_attr("error", str(error))
            study.tell(trial, state=TrialState.FAIL)
            return f"failed: {error}"
        except BaseException:
            _give_up(study, trial)
            raise
        study.tell(trial, value)
        best = study.best_trial
        return f"{VALIDATION_SCORES[self.task.kind]} {value:.4f}  (best {best.value:.4f}, trial {best.number + 1})"

    def _score(self, trial: optuna.Trial, typed: dict[str, str]) -> float:
        folder = self.out / f"trial_{trial.number}"
        words = [*self.overrides, *(f"{key}={value}" for key, value in typed.items())]
        config = replace(load_config(words), out=str(folder))
        check_config(config)
        folder.mkdir(exist_ok=True)
        run = start_run(config, f"trial {trial.number + 1}", data_digest=self.data_digest, parent_id=self.run.run_id)
        succeeded = False
        try:
            stop = _StopWhatFallsBehind(trial, VALIDATION_SCORES[self.task.kind])
            fitted = fit(config, self.task, self.split, folder, run, self.console, [stop])
            (folder / "history.json").write_text(json.dumps(fitted.history, indent=2))
            succeeded = True
        except optuna.TrialPruned:
            run.log_tags({"pruned": "true"})
            succeeded = True
            raise
        finally:
            run.finish(succeeded=True) if succeeded else run.abandon()
            for checkpoint in folder.glob("*.ckpt"):
                checkpoint.unlink()  # nobody resumes a trial
        scores = [epoch[VALIDATION_SCORES[self.task.kind]] for epoch in fitted.history]
        return float(max(scores) if config.trainer.patience else scores[-1])


class _StopWhatFallsBehind(Callback):
    """Tells Optuna each epoch's score and ends the trial if it says so."""

    def __init__(self, trial: optuna.Trial, score: str) -> None:
        self.trial = trial
        self.score = score

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report; raise TrialPruned."""
        del pl_module
        self.trial.report(float(trainer.callback_metrics[self.score]), trainer.current_epoch)
        if self.trial.should_prune() and trainer.current_epoch + 1 < (trainer.max_epochs or 0):
            raise optuna.TrialPruned


def _described(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    curve = [value for _, value in sorted(trial.intermediate_values.items())]
    state = trial.state.name.lower()
    return {"trial": trial.number, "state": state, "value": trial.value, "curve": curve, **trial.user_attrs}


def _table(study: optuna.Study, space: SearchSpace, rows: int = 5) -> Table:
    ranked = sorted(
        study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), key=lambda trial: -float(trial.value or 0.0)
    )
    table = Table("trial", "score", *(key.rpartition(".")[2] for key in space))
    for trial in ranked[:rows]:
        values = (str(trial.user_attrs["typed"][key]) for key in space)
        table.add_row(str(trial.number + 1), f"{trial.value:.4f}", *values)
    return table
