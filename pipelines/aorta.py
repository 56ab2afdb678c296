"""AortaSeg24: five folds, and their ensemble on a fifth of the patients, whom no fold sees.

There is no public test split.

    python pipelines/aorta.py --data AortaSeg24     (folder with images and masks)
    python pipelines/aorta.py --smoke               (generated aortas, minutes)

The same command goes on where it was stopped.
"""

from dataclasses import replace

from experiment import Experiment, read_options, uumamba

from uumamba.data.phantom_aorta import write_phantom_aorta
from uumamba.data.phantom_tubes import PhantomGrid

FOLDS = range(5)


def main() -> None:
    """Check, preprocess, train, segment the patients kept for it, compare them with their references, and measure."""
    experiment = read_options("aorta", __doc__)
    experiment = replace(experiment, settings=("planning.test_fraction=0.2", *experiment.settings))
    if experiment.smoke:
        generate(experiment)
    experiment.prepare()
    experiment.train("0-4")
    predictions = experiment.results / "test"
    experiment.infer(FOLDS, predictions)
    experiment.evaluate(predictions, experiment.results / "test_evaluation")
    uumamba("measure", predictions, "--kind", "aorta", "--output", experiment.results / "diameters", "--overwrite")


def generate(experiment: Experiment) -> None:
    """Seven patients, two of whom are kept to test on."""
    grid = PhantomGrid((32, 32, 48), (13.8, 13.8, 14.5))
    write_phantom_aorta(experiment.data, numbers=(1, 2, 4, 7, 9, 12, 13), grid=grid)


if __name__ == "__main__":
    main()
