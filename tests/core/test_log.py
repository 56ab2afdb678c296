from pathlib import Path

from uumamba.core.console import make_console
from uumamba.core.log import log, log_to


def test_a_run_keeps_what_it_said_and_nothing_later(tmp_path: Path) -> None:
    log.setLevel("INFO")
    with log_to(tmp_path / "sub" / "log.txt"):
        log.info("%d cases", 3)
    log.info("after the run")
    with log_to(tmp_path / "sub" / "log.txt"):
        log.warning("again")
    lines = (tmp_path / "sub" / "log.txt").read_text().splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == ["INFO 3 cases", "WARNING again"]


def test_a_file_gets_long_lines() -> None:
    console = make_console()
    assert console.is_terminal or console.width == 140
