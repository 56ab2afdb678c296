"""What hearts do, from their label maps: a picture and a JSON file for each, and one table of all.

A time series is one heart. So are the two volumes of a patient whose table says `patient` and `phase`, ED or ES. Both
may say `height_cm` and `weight_kg`. What is known of each case is in a file of its own, so that a batch that is
resumed, or done in shards, ends with the table of all.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uumamba.core.files import read_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.evaluation.table import NOTE, Cell, write_csv
from uumamba.imaging.image import Image
from uumamba.inference.case_table import read_case_names, read_cases
from uumamba.inference.inputs import CaseInput, find_tables
from uumamba.inference.output_folder import remove_files
from uumamba.inference.prediction import Prediction
from uumamba.measures import INDEXED, MEASURES, HeartFunction, Measurement, measure_pair, measure_series, whole_volumes
from uumamba.reporting.style import save_figure
from uumamba.reporting.volume_curve import volume_curve_figure

PHASES = ("ED", "ES")
_BODY = ("height_cm", "weight_kg")
TABLE_NAME = "function.csv"
_COLUMNS = ("case", "kind", "ed", "es", "body_surface_m2", *MEASURES, *INDEXED, "frames_left_out", "reasons")
_PLAUSIBLE_FRAME_MS = (1.0, 500.0)
"""What a header may say of the time between two frames of a beating heart; 1 s is the placeholder of many."""


class HeartFunctions:
    """Measures the hearts of a batch and writes them below `output`, beside the label maps.

    `add` is for each predicted case, `finish` for the end. Where the labels have no LV there is nothing to measure, and
    nothing is written. A table's entry that cannot be used costs a measure, never a case.
    """

    def __init__(self, output: Path, labels: LabelSet) -> None:
        self._output = output
        self._folder = output / "function"
        self._labels = labels

    def add(self, case: CaseInput, image: Image, prediction: Prediction) -> None:
        """Measure a case, if it is a series or one phase of a patient.

        Writes `function/<case>.json` and `.png` for a series, `function/phases/<case>.json` for a phase; what was there
        of the case before is removed. A phase other than ED and ES, or of a patient who is not given or cannot name a
        file, is warned about and not measured.
        """
        for path in (*self._series_files(case.case), self._phase_file(case.case)):
            path.unlink(missing_ok=True)
        if "LV" not in self._labels.members:
            return
        if prediction.labels.ndim == 4:
            self._add_series(case, image, prediction)
        elif phase := _text(case, "phase"):
            patient = _text(case, "patient")
            if phase.upper() not in PHASES:
                log.warning("%s: its phase is %r, not ED or ES: no function of the heart", case.case, phase)
            elif patient in ("", ".", "..") or any(mark in patient for mark in "/\\\0"):
                log.warning("%s: its patient %r cannot name a file: no function of the heart", case.case, patient)
            else:
                self._add_phase(case, image, prediction)

    def remove(self) -> None:
        """Remove all that earlier batches measured: files of the cases in their tables, and the table of all hearts."""
        for case in [case for table in find_tables(self._output) for case in read_case_names(table)]:
            phase = self._phase_file(case)
            pair = () if not phase.is_file() else (self._pair_file(read_json(phase)["patient"]),)
            remove_files((*self._series_files(case), phase, *pair))
        if _is_table(self._output / TABLE_NAME):
            (self._output / TABLE_NAME).unlink()
        for folder in (self._folder / "phases", self._folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def finish(self) -> Path | None:
        """Put the phases together (`function/<patient>_ED_ES.json`) and write the table `function.csv` of all hearts.

        Taken is what belongs to cases that have not failed in the tables of the output folder. Gives the table's path;
        None, and no table (also not an earlier batch's), if there is no heart.
        """
        rows = {case: row for table in find_tables(self._output) for case, row in read_cases(table).items()}
        cases = sorted(case for case, row in rows.items() if row.status != "failed")
        series = [path for case in cases if (path := self._series_files(case)[0]).is_file()]
        phases = [path for case in cases if (path := self._phase_file(case)).is_file()]
        hearts = [read_json(path) for path in series] + self._pair([read_json(path) for path in phases])
        path = self._output / TABLE_NAME
        if not hearts:
            if _is_table(path):
                path.unlink()
            return None
        write_csv(path, _COLUMNS, (_row(heart) for heart in sorted(hearts, key=lambda heart: str(heart["case"]))))
        log.info("function of %d hearts in %s", len(hearts), path)
        return path

    def _series_files(self, case: str) -> tuple[Path, Path]:
        return self._folder / f"{case}.json", self._folder / f"{case}.png"

    def _phase_file(self, case: str) -> Path:
        return self._folder / "phases" / f"{case}.json"

    def _pair_file(self, patient: str) -> Path:
        return self._folder / f"{patient}_ED_ES.json"

    def _add_series(self, case: CaseInput, image: Image, prediction: Prediction) -> None:
        function = measure_series(prediction.labels, image.spacing_mm, self._labels, **_body(case.details))
        frame_ms = _frame_ms(image)
        data, picture = self._series_files(case.case)
        write_json(data, _content(case.case, "series", function) | {"frame_ms": frame_ms})
        save_figure(volume_curve_figure(function, title=case.case, frame_ms=frame_ms), picture)

    def _add_phase(self, case: CaseInput, image: Image, prediction: Prediction) -> None:
        volumes = whole_volumes(prediction.labels, image.spacing_mm, self._labels)
        content = {
            "notice": NOTE,
            "case": case.case,
            "patient": _text(case, "patient"),
            "phase": _text(case, "phase").upper(),
            **{key: _text(case, key) for key in _BODY},
            "volumes_ml": {name: _cell(volume) for name, volume in volumes.items()},
        }
        write_json(self._phase_file(case.case), content)

    def _pair(self, phases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The function of every patient of whom at least one phase is there, written and given back."""
        by_patient: dict[str, list[Mapping[str, Any]]] = {}
        for phase in phases:
            by_patient.setdefault(phase["patient"], []).append(phase)
        hearts = []
        for patient, of_patient in by_patient.items():
            cases = {name: [each for each in of_patient if each["phase"] == name] for name in PHASES}
            body = _body({key: next(filter(None, (each[key] for each in of_patient)), "") for key in _BODY})
            diastole, systole = (self._volumes(name, cases[name]) for name in PHASES)
            function = measure_pair(diastole, systole, **body)
            names = {name.lower(): ", ".join(each["case"] for each in cases[name]) or None for name in PHASES}
            heart = _content(f"{patient}_ED_ES", "pair", function) | names
            write_json(self._pair_file(patient), heart)
            hearts.append(heart)
        return hearts

    def _volumes(self, phase: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, Measurement]:
        """The volumes of a patient's phase; None with the reason unless one case shows it."""
        if len(cases) == 1:
            return {name: Measurement(**cell) for name, cell in cases[0]["volumes_ml"].items()}
        reason = f"{len(cases)} cases of the patient are {phase}; one is needed"
        return dict.fromkeys(self._labels.members, Measurement(None, reason))


def _content(case: str, kind: str, function: HeartFunction) -> dict[str, Any]:
    """A heart as JSON; frames are counted from 1, as ACDC does."""
    phases = function.phases
    return {
        "schema": 1,
        "notice": NOTE,
        "case": case,
        "kind": kind,
        "frames_counted_from": 1,
        "ed": None if phases.end_diastole is None else phases.end_diastole + 1,
        "es": None if phases.end_systole is None else phases.end_systole + 1,
        "no_phases_because": phases.reason,
        "frames_left_out": {str(frame + 1): reason for frame, reason in sorted(phases.left_out.items())},
        "body_surface_m2": _cell(function.body_surface_m2),
        "measures": {name: _cell(measure) for name, measure in function.measures.items()},
        "volumes_ml": {name: [_cell(volume) for volume in volumes] for name, volumes in function.volumes_ml.items()},
    }


def _cell(measure: Measurement) -> dict[str, Any]:
    return {"value": measure.value, "reason": measure.reason}


def _row(heart: Mapping[str, Any]) -> list[Cell]:
    measures = heart["measures"]
    values = [measures[name]["value"] for name in (*MEASURES, *INDEXED)]
    reasons = dict.fromkeys(measures[name]["reason"] for name in MEASURES if measures[name]["reason"])
    return [
        heart["case"],
        heart["kind"],
        heart["ed"],
        heart["es"],
        heart["body_surface_m2"]["value"],
        *values,
        ", ".join(heart["frames_left_out"]),
        "; ".join(reasons),
    ]


def _is_table(path: Path) -> bool:
    """Whether a file is there and is a table of hearts."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().strip() == ",".join(_COLUMNS)


def _frame_ms(image: Image) -> float | None:
    """Time between frames in ms, if the header says what can be true of a heart."""
    step = image.time.step_ms if image.time else None
    low, high = _PLAUSIBLE_FRAME_MS
    return step if step is not None and low <= step <= high else None


def _body(details: Mapping[str, str]) -> dict[str, float | None]:
    return {key: _number(str(details.get(key, "")).strip()) for key in _BODY}


def _number(text: str) -> float | None:
    """A number with a point or a comma; None where the text is empty, NaN where it is no number."""
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError:
        return math.nan


def _text(case: CaseInput, key: str) -> str:
    return str(case.details.get(key, "")).strip()
