"""ImageCAS: the four official folds, each tested on the cases that it keeps for that, which together are all cases.

    python pipelines/imagecas.py --data ImageCAS    (folder with 1-200 ... 801-1000 and imageCAS_data_split.xlsx)
    python pipelines/imagecas.py --smoke            (generated coronary arteries, minutes)

No ensemble: what one fold tests on, the others have learned from. The same command goes on where it was stopped.
"""

from experiment import Experiment, read_options, uumamba

from uumamba.data.phantom_coronary import write_phantom_imagecas
from uumamba.data.phantom_tubes import PhantomGrid

FOLDS = range(4)


def main() -> None:
    """Check, preprocess, train, segment each fold's test cases, and compare all of them with their references."""
    experiment = read_options("imagecas", __doc__)
    if experiment.smoke:
        generate(experiment)
    experiment.prepare()
    experiment.train("0-3")
    predictions = experiment.results / "test"
    for fold in FOLDS:
        experiment.infer([fold], predictions / f"fold_{fold}", fold=fold)
    sides = ("--predictions", predictions, "--references", experiment.data)
    uumamba("evaluate", *sides, "--dataset", "imagecas", "--output", experiment.results / "test_evaluation")
    uumamba("measure", predictions, "--kind", "coronary", "--output", experiment.results / "vessels", "--overwrite")


def generate(experiment: Experiment) -> None:
    """Eight patients, as in the sheet of the splits."""
    grid = PhantomGrid((28, 28, 24), (6.4, 6.4, 5.7))
    write_phantom_imagecas(experiment.data, numbers=range(1, 9), grid=grid)


if __name__ == "__main__":
    main()
