from importlib.metadata import version

from uumamba.core.versions import installed_versions, unmet_requirements


def test_installed_versions_are_the_metadata_s() -> None:
    assert installed_versions()["torch"] == version("torch")


def test_what_is_installed_and_new_enough_is_no_problem() -> None:
    assert unmet_requirements(["torch>=2", 'nothing-of-this-name>=1; extra == "mamba"']) == []


def test_a_missing_and_a_wrong_version_are_named_with_what_is_needed() -> None:
    assert unmet_requirements(["nothing-of-this-name>=1", "torch<2"]) == [
        "nothing-of-this-name is not installed, needed is >=1",
        f"torch {version('torch')} is installed, needed is <2",
    ]
