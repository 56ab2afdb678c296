"""Decoders of the U-Mamba network."""
