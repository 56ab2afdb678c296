"""What the experiments share: their options, and commands that are shown before they run."""

import shlex
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uumamba.cli.app import main as run_command_line

SMOKE = (
    *("training.epochs=1", "training.iterations=2", "training.validation_iterations=1"),
    *("plan.batch_size=2", "plan.base_features=4", "plan.max_features=8", "plan.max_stages=3"),
    *("hardware.workers=0", "hardware.fit=false"),
)
"""Settings under which an experiment takes minutes on two cores, and its numbers mean nothing."""


@dataclass(frozen=True)
class Experiment:
    """One data set and one configuration; everything that is made lies below `work`."""

    dataset: str
    data: Path
    work: Path
    config: str
    settings: tuple[str, ...]
    smoke: bool

    @property
    def runs(self) -> Path:
        """The folder of the trained folds."""
        return self.work / self.dataset / "runs" / self.config

    @property
    def results(self) -> Path:
        """The folder for predictions and what they are worth."""
        return self.work / self.dataset / "results" / self.config

    @property
    def configured(self) -> list[str]:
        """The options that name the configuration."""
        return ["--config", self.config, *(word for setting in self.settings for word in ("--set", setting))]

    def prepare(self) -> None:
        """Look for problems, which end the experiment if they block, and preprocess what is new."""
        uumamba("check", "--dataset", self.dataset, "--data", self.data, *self.configured)
        uumamba("preprocess", "--dataset", self.dataset, "--data", self.data, "--work", self.work, *self.configured)

    def train(self, folds: str) -> None:
        """Train folds such as "0-4", or go on where an earlier start of the experiment was stopped."""
        resume = ["--resume"] if any(self.runs.glob("fold_*/last.safetensors")) else []
        uumamba("train", "--dataset", self.dataset, "--work", self.work, "--folds", folds, *resume, *self.configured)

    def infer(self, folds: Iterable[int], output: Path, *, fold: int | None = None) -> None:
        """Segment the test cases, of `fold` where each has its own, with the mean of the models of `folds`."""
        models = [word for number in folds for word in ("--model", self.runs / f"fold_{number}")]
        uumamba("infer", *models, "--input", self.data, "--output", output, "--resume", *self._test_cases(fold))

    def evaluate(self, predictions: Path, output: Path) -> None:
        """Compare the test cases with their references, as tables, pictures and a report."""
        sides = ("--predictions", predictions, "--references", self.data)
        uumamba("evaluate", *sides, "--output", output, *self._test_cases())

    def _test_cases(self, fold: int | None = None) -> list[str | Path]:
        chosen = [] if fold is None else ["--fold", str(fold)]
        return ["--dataset", self.dataset, "--work", self.work, "--split", "test", *chosen]


def read_options(dataset: str, description: str) -> Experiment:
    """The experiment that the command line asks for."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data set as it was downloaded")
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder for everything that is made")
    parser.add_argument("--config", default=dataset, help="a shipped configuration's name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting")
    parser.add_argument("--smoke", action="store_true", help="generated images and a tiny network: does it all run?")
    options = parser.parse_args()
    if options.smoke == (options.data is not None):
        parser.error("give either --data or --smoke, which generates its own")
    return Experiment(
        dataset=dataset,
        data=options.work / f"{dataset}-phantoms" if options.smoke else options.data,
        work=options.work,
        config=options.config,
        settings=(*(SMOKE if options.smoke else ()), *options.set),
        smoke=options.smoke,
    )


def uumamba(*arguments: str | Path) -> None:
    """Show and run one command; if it fails the experiment ends with its exit code, to be started again as it was."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ uumamba {shlex.join(words)}", flush=True)
    try:
        run_command_line(words)
    except SystemExit as ended:
        if ended.code:
            print("The experiment ends here; the command that started it goes on from here.", file=sys.stderr)
            sys.exit(ended.code)
