"""Libraries say nothing that the user cannot act on, and ask nobody outside for news."""

import logging
import os
import warnings


def ask_nobody() -> None:
    """Settle what libraries read from the environment; before they are imported."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"  # its database's housekeeping is no news for anyone


def quieten() -> None:
    """Silence advice; after the libraries are imported, because some set their own level then."""
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", module=r"torch\.optim\.lr_scheduler")
    for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
