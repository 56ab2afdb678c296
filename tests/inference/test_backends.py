"""What a record says of the backends in networks."""

import pytest
import torch

from uumamba.inference.backends import backends_in_words, backends_of
from uumamba.models.baselines import NnunetPlainSettings
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import NoMambaSettings, UMambaSettings

FUSED = NoMambaSettings(decoder=FreqFusionDecoderSettings())


@pytest.mark.parametrize(
    ("networks", "scan", "adaptive", "words"),
    [([UMambaSettings()], "cpu", "none", "scan cpu"),
     ([NnunetPlainSettings()], "none", "none", "scan none"),
     ([FUSED], "none", "cpu", "scan none, adaptive filter cpu"),
     ([NnunetPlainSettings(), UMambaSettings(), FUSED], "cpu", "cpu", "scan cpu, adaptive filter cpu")],
)  # fmt: skip
def test_what_runs_in_any_of_the_networks(
    networks: list[NetworkSettings], scan: str, adaptive: str, words: str
) -> None:
    record = backends_of(networks, scan_backend="auto", device=torch.device("cpu"))
    assert record == {"scan_backend": scan, "filter_backend": adaptive}
    assert backends_in_words(record) == words


def test_a_scan_that_was_asked_for() -> None:
    record = backends_of([UMambaSettings()], scan_backend="chunked", device=torch.device("cpu"))
    assert record["scan_backend"] == "chunked"
