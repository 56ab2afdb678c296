"""Many cases into one folder of label maps, where one bad file does not end the batch.

While the network works on a case, one thread reads the next and another writes the one before. The order of the cases
and all that is computed are as they would be one after the other.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from uumamba.core.errors import GeometryError, SomeCasesFailed
from uumamba.core.files import hash_file, hash_json
from uumamba.core.log import log
from uumamba.imaging.files import read_image, write_label_map, write_map
from uumamba.imaging.image import Image
from uumamba.inference.case_table import CaseResult, CaseTable
from uumamba.inference.failure import Caught, Failure, Stage, failure_of
from uumamba.inference.inputs import CaseInput
from uumamba.inference.memory_budget import MemoryBudget
from uumamba.inference.output_folder import MAPS, OutputFolder, remove_files
from uumamba.inference.prediction import Prediction
from uumamba.inference.predictor import Predictor, require_images
from uumamba.inference.review import BETWEEN_SENTENCES
from uumamba.inference.series import predict_series

OnCase = Callable[[CaseResult, int, int], None]
OnPrediction = Callable[[CaseInput, Image, Prediction], None]


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is done.

    With `resume` a case is kept if its row is not that of a failure, and its images, all settings, and the files that
    were written for it have the hashes of that row. `overwrite` removes the results that are in the folder. `maps`
    writes entropy and disagreement beside each label map. With a `budget` a case that takes too much memory fails
    before it is read, and cases are only read and written beside another where all fit.
    """

    resume: bool = False
    overwrite: bool = False
    maps: bool = False
    budget: MemoryBudget | None = None


PLAIN = BatchOptions()
"""A new batch, label maps alone."""


def predict_files(
    predictor: Predictor,
    cases: Sequence[CaseInput],
    folder: OutputFolder,
    options: BatchOptions = PLAIN,
    *,
    on_prediction: OnPrediction | None = None,
    on_case: OnCase | None = None,
    must_stop: Callable[[], bool] = lambda: False,
) -> tuple[CaseResult, ...]:
    """Write a uint8 label map on the image's own grid for every case (`OutputFolder.label_map`), and the table.

    A case that fails has its code and reason in the table and no files, and the others go on. The table is written anew
    as soon as a case's files are there, so that a batch that is stopped or killed can be resumed; with `resume` it
    keeps the rows of other cases. `on_prediction` gets each predicted case (not those that are kept), its first image
    and its prediction, in the thread that writes, after its files are written; if it raises, the case fails. `on_case`
    gets each result, its position from 1 and the number of cases. `must_stop` is asked before each case; then those
    begun are finished.

    Gives the results of the cases that were reached, in order. Raises `InputError` before any work if a file that no
    batch wrote would be replaced.
    """
    before = folder.begin(cases, resume=options.resume, overwrite=options.overwrite)
    own = {case.case for case in cases}
    others = {case: row for case, row in before.items() if folder.shard is None or case in own}
    table = CaseTable(folder.table, others)
    batch = _Batch(predictor, folder, options, before=before, table=table, on_prediction=on_prediction)
    results: list[CaseResult] = []
    side_by_side = options.budget is None or options.budget.fits_side_by_side
    for result in (_overlapped if side_by_side else _one_by_one)(batch, cases, must_stop):
        results.append(result)
        if on_case is not None:
            on_case(result, len(results), len(cases))
    return tuple(results)


def raise_if_failed(results: Sequence[CaseResult], table: Path) -> None:
    """Raise `SomeCasesFailed`, with the first reasons, if a case failed."""
    failed = [result for result in results if result.status == "failed"]
    if failed:
        named = "; ".join(f"{result.case} ({result.reason})" for result in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise SomeCasesFailed(
            f"{len(failed)} of {len(results)} cases failed, the others are done: {named}{more}; see {table}"
        )


@dataclass
class _Work:
    """A case on its way; after a failure, or if it is kept as it was, it passes the other stages by."""

    case: CaseInput
    images: tuple[Image, ...] = ()
    input_sha256: str = ""
    repairs: tuple[str, ...] = ()
    prediction: Prediction | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    failure: Failure | None = None
    kept: CaseResult | None = None

    def do(self, stage: Stage, step: Callable[["_Work"], None]) -> None:
        """Do one step, unless there is nothing to do any more."""
        if self.failure is not None or self.kept is not None:
            return
        start = time.perf_counter()
        with Caught() as caught:
            step(self)
        self.seconds += time.perf_counter() - start
        if caught.error is not None:
            self.failure = failure_of(caught.error, stage)
            log.debug("%s failed while %s", self.case.case, stage, exc_info=caught.error)
        del caught  # its error's traceback holds this frame, and with it the case's arrays


class _Batch:
    """The three stages of a case."""

    def __init__(
        self,
        predictor: Predictor,
        folder: OutputFolder,
        options: BatchOptions,
        *,
        before: dict[str, CaseResult],
        table: CaseTable,
        on_prediction: OnPrediction | None,
    ) -> None:
        self._predictor = predictor
        self._folder = folder
        self._maps = options.maps
        self._budget = options.budget
        self._before = before
        self._table = table
        self._on_prediction = on_prediction
        self._settings_sha256 = hash_json({"predictor": predictor.sha256, "maps": options.maps})

    def read(self, case: CaseInput) -> _Work:
        """The case's images, or its row of an earlier batch if that is as good."""
        work = _Work(case)
        work.do("reading", self._read)
        return work

    def predict(self, work: _Work) -> None:
        """The network's part."""
        work.do("predicting", self._predict)
        if work.failure is not None and self._predictor.device.type == "cuda":
            torch.cuda.empty_cache()

    def write(self, work: _Work) -> CaseResult:
        """Write the files, or remove those of a failed case; then the case's row."""
        work.do("writing", self._write)
        if work.failure is not None:
            with Caught() as caught:
                remove_files(self._folder.files(work.case.case))
            if caught.error is not None:
                log.warning("%s: older files could not be removed (%s)", work.case.case, caught.error)
        result = work.kept or self._result(work)
        self._table.add(result)
        return result

    def _read(self, work: _Work) -> None:
        hashes = [hash_file(path) for path in work.case.images]
        work.input_sha256 = hashes[0] if len(hashes) == 1 else hash_json(hashes)
        work.kept = self._kept(work)
        if work.kept is None:
            if self._budget is not None:
                self._budget.require(work.case.case)
            work.images = tuple(read_image(path, max_dimensions=4) for path in work.case.images)
            work.repairs = tuple(dict.fromkeys(repair for image in work.images for repair in image.repairs))

    def _kept(self, work: _Work) -> CaseResult | None:
        row = self._before.get(work.case.case)
        if row is None or row.status == "failed":
            return None
        if (row.input_sha256, row.settings_sha256) != (work.input_sha256, self._settings_sha256):
            return None
        hashes = (row.output_sha256, row.entropy_sha256, row.disagreement_sha256)
        for path, digest in zip(self._folder.files(row.case), hashes, strict=True):
            if digest and not (path.is_file() and hash_file(path) == digest):
                return None
        return replace(row, inputs=work.case.images, output=self._folder.label_map(row.case))

    def _predict(self, work: _Work) -> None:
        images = work.images
        require_images(images, self._predictor.plan)
        if images[0].data.ndim == 3:
            work.prediction = self._predictor.predict(images, maps=self._maps)
        elif len(images) == 1:
            work.prediction = predict_series(self._predictor, images[0], maps=self._maps)
        else:
            raise GeometryError(
                f"{work.case.images[0]}: a time series of several channels cannot be predicted; split it into one file "
                f"per volume"
            )

    def _write(self, work: _Work) -> None:
        prediction, image, case = work.prediction, work.images[0], work.case.case
        if prediction is None:
            return
        target = self._folder.label_map(case)
        remove_files(self._folder.files(case)[1:])
        write_label_map(target, prediction.labels, image)
        work.hashes["output_sha256"] = hash_file(target)
        for name in MAPS if self._maps else ():
            values = getattr(prediction, name)
            if values is not None:
                write_map(self._folder.map(case, name), values, image)
                work.hashes[f"{name}_sha256"] = hash_file(self._folder.map(case, name))
        if self._on_prediction is not None:
            self._on_prediction(work.case, image, prediction)

    def _result(self, work: _Work) -> CaseResult:
        prediction, failure = work.prediction, work.failure
        flags = prediction.flags if prediction is not None else ()
        if failure is not None:
            flags = ()
        hashes = {"output_sha256": ""} | (work.hashes if failure is None else {})
        return CaseResult(
            case=work.case.case,
            status="failed" if failure is not None else "flagged" if flags else "ok",
            code=failure.code if failure is not None else "; ".join(flag.code for flag in flags),
            reason=failure.reason if failure is not None else BETWEEN_SENTENCES.join(flag.sentence for flag in flags),
            inputs=work.case.images,
            output=self._folder.label_map(work.case.case),
            seconds=work.seconds,
            repairs=work.repairs,
            confidence=dict(prediction.confidence) if prediction is not None and failure is None else {},
            input_sha256=work.input_sha256,
            settings_sha256=self._settings_sha256,
            **hashes,
        )


def _one_by_one(batch: _Batch, cases: Sequence[CaseInput], must_stop: Callable[[], bool]) -> Iterator[CaseResult]:
    """The results in order, with one case in memory."""
    for case in cases:
        if must_stop():
            break
        work = batch.read(case)
        batch.predict(work)
        yield batch.write(work)
        del work


def _overlapped(batch: _Batch, cases: Sequence[CaseInput], must_stop: Callable[[], bool]) -> Iterator[CaseResult]:
    """The results in order; beside the case that is predicted at most two are in memory, one read and one written."""
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        coming = [reader.submit(batch.read, case) for case in cases[:1]]
        going: Future[CaseResult] | None = None
        for position in range(1, len(cases) + 1):
            if must_stop():
                break
            work = coming.pop().result()
            coming += [reader.submit(batch.read, case) for case in cases[position : position + 1]]
            batch.predict(work)
            if going is not None:
                yield going.result()
            going = writer.submit(batch.write, work)
            del work
        if going is not None:
            yield going.result()
