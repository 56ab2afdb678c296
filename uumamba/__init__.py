"""Segment the heart and great vessels in MRI and CT with UU-Mamba."""
