"""Floor 1: filtering with a kernel of its own at every place, one operator with several backends."""

from uumamba.filtering.operator import BACKENDS, FilterBackend, adaptive_filter, resolve_backend

__all__ = ["BACKENDS", "FilterBackend", "adaptive_filter", "resolve_backend"]
