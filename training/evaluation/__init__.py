"""How good a network is on subjects it has never seen, through the very functions that serving runs."""

from training.evaluation.calibrating import fit_calibration
from training.evaluation.figures import pooled_metrics
from training.evaluation.intervals import intervals
from training.evaluation.judging import Evaluated, evaluate, judge
from training.evaluation.prediction import Answer, answer, predict
from training.evaluation.tally import Judgement

__all__ = [
    "Answer",
    "Evaluated",
    "Judgement",
    "answer",
    "evaluate",
    "fit_calibration",
    "intervals",
    "judge",
    "pooled_metrics",
    "predict",
]
