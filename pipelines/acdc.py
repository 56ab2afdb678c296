"""ACDC: five folds, and their ensemble on the official test split.

    python pipelines/acdc.py --data ACDC            (folder with database/training and database/testing)
    python pipelines/acdc.py --smoke                (generated hearts, minutes)

The same command goes on where it was stopped.
"""

from experiment import Experiment, read_options

from uumamba.data.phantom import PhantomSize, write_phantom_acdc

FOLDS = range(5)


def main() -> None:
    """Check, preprocess, train, segment the test split and compare it with its references."""
    experiment = read_options("acdc", __doc__)
    if experiment.smoke:
        generate(experiment)
    experiment.prepare()
    experiment.train("0-4")
    experiment.infer(FOLDS, experiment.results / "test")
    experiment.evaluate(experiment.results / "test", experiment.results / "test_evaluation")


def generate(experiment: Experiment) -> None:
    """Six patients to train on and two to test on, each at end-diastole and end-systole."""
    size = PhantomSize(voxels=40, spacing_mm=6.0, slice_spacing_mm=20.0)
    write_phantom_acdc(experiment.data, patients=6, test_patients=2, size=size)


if __name__ == "__main__":
    main()
