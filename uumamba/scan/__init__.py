"""Floor 1: the selective scan, one operator with several backends."""

from uumamba.scan.operator import BACKENDS, ScanBackend, resolve_backend, selective_scan

__all__ = ["BACKENDS", "ScanBackend", "resolve_backend", "selective_scan"]
