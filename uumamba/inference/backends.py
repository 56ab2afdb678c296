"""Which backends run in networks, for records and the log."""

from collections.abc import Collection, Mapping
from typing import Any

import torch

from uumamba.filtering import resolve_backend as resolve_filter
from uumamba.models.networks import NetworkSettings
from uumamba.scan import ScanBackend
from uumamba.scan import resolve_backend as resolve_scan


def backends_of(
    networks: Collection[NetworkSettings], *, scan_backend: ScanBackend, device: torch.device
) -> dict[str, str]:
    """For a run record, which scan and which adaptive filter run in any of the networks; "none" where none does."""
    scans, filters = any(each.uses_scan for each in networks), any(each.uses_filter for each in networks)
    return {
        "scan_backend": resolve_scan(scan_backend, device=device) if scans else "none",
        "filter_backend": resolve_filter("auto", device=device) if filters else "none",
    }


def backends_in_words(record: Mapping[str, Any]) -> str:
    """Of a record with `backends_of`, for the log: "scan cpu", and the filter's where there is one."""
    adaptive = "" if record["filter_backend"] == "none" else f", adaptive filter {record['filter_backend']}"
    return f"scan {record['scan_backend']}{adaptive}"
