"""uumamba report: one self-contained page of what another command wrote."""

from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.files import write_text
from uumamba.core.log import log
from uumamba.core.versions import installed_versions
from uumamba.evaluation.output_folder import REPORT, SCORES
from uumamba.inference.bundle import read_description
from uumamba.inference.bundle_file import BUNDLE_NAME
from uumamba.reporting.html.evaluation_page import evaluation_page
from uumamba.reporting.html.inference_page import CASES, inference_page, tables_of_cases
from uumamba.reporting.html.page import Page
from uumamba.reporting.html.render import render_page
from uumamba.reporting.html.run_page import HISTORY, run_page
from uumamba.workflows.case_overlays import overlays_of_predictions

_EXPECTED = (
    f"give a folder that `uumamba evaluate` ({SCORES}), `uumamba infer` ({CASES}) or `uumamba train` ({HISTORY}) wrote"
)


def report(folder: Path, output: Path | None = None) -> Path:
    """Write the page of an evaluation, of predictions or of a run to `output`, else to `report.html` in the folder.

    Gives the page's path; equal folders give equal pages. Raises `InputError` if the folder is none of these, or if a
    table in it is broken.
    """
    page = _page_of(folder)
    path = folder / REPORT if output is None else output
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file's name as --output, such as {path / REPORT}")
    write_text(path, render_page(page, version=installed_versions()["uumamba"]))
    log.info("report: %s, %.1f MB, opens in any browser", path, path.stat().st_size / 1e6)
    return path


def _page_of(folder: Path) -> Page:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {_EXPECTED}")
    if (folder / SCORES).is_file():
        return evaluation_page(folder)
    if tables_of_cases(folder):
        return inference_page(folder, overlays=overlays_of_predictions(folder))
    if (folder / HISTORY).is_file():
        bundle = folder / BUNDLE_NAME
        return run_page(folder, model_card=read_description(bundle).model_card if bundle.is_file() else None)
    raise InputError(f"{folder}: nothing to report here; {_EXPECTED}")
