import pytest

from uumamba.core.duration import about


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "less than a second"), (40.4, "about 40 s"), (120, "about 2 min"), (1500, "about 25 min"),
        (3599, "about 1 h"), (4790, "about 1 h 20 min"), (7195, "about 2 h"), (3 * 86400 + 4 * 3600, "about 3 d 4 h"),
        (5 * 86400 - 10, "about 5 d"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_said_as_people_do(seconds: float, said: str) -> None:
    assert about(seconds) == said
