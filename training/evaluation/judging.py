"""Samples in, judged samples out, one at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.processing import Classification, Prediction
from training.errors import DataError
from training.evaluation.figures import figures_of_one
from training.evaluation.prediction import Answer, answer
from training.evaluation.tally import Judgement, tally
from training.samples import Labelled, Sample
from training.serving_module import ServingModule


@dataclass(frozen=True)
class Evaluated(Judgement):
    """A judged picture with its pixels.

    Attributes:
        labelled: the picture and what an expert says of it.
        prediction: as it would have been served.
    """

    labelled: Labelled
    prediction: Prediction | Classification

    def judgement(self) -> Judgement:
        """Return the same without pixels, for whoever keeps many."""
        return Judgement(self.sample, self.metrics, self.tally)


def evaluate(
    module: ServingModule, samples: Sequence[Sample], task: TaskSpec, *, tta: bool = False
) -> Iterator[Evaluated]:
    """Yield each sample with its prediction and metrics as soon as it is done.

    Args:
        module: put into evaluation mode.
        samples: what to judge; read one at a time.
        task: of the module and the samples.
        tta: as for `predict`.

    Raises:
        DataError: a picture that cannot be used, or labels that do not fit it.
    """
    module.eval()
    for sample in samples:
        try:
            labelled = sample.read()
            answered = answer(module, labelled.encoded, task, tta=tta)
        except ImageError as error:
            raise DataError(f"picture {sample.name} cannot be judged: {error}") from error
        yield judge(sample, labelled, answered, task)


def judge(sample: Sample, labelled: Labelled, answered: Answer, task: TaskSpec) -> Evaluated:
    """Hold an answer, whoever gave it, against what an expert says.

    Raises:
        DataError: no label, no mask, or a mask of another size than the picture.
    """
    counted = tally(sample, labelled, answered, task)
    return Evaluated(sample, figures_of_one(counted, task), counted, labelled, answered.prediction)
