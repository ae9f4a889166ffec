"""Where runs are recorded: MLflow, Weights & Biases or nowhere, behind one interface. MLflow is imported only here."""

from training.tracking.run import NoRun, Run
from training.tracking.start import start_run

__all__ = ["NoRun", "Run", "start_run"]
