"""Presets: ready-made connections to the systems that colleges use. One YAML file each, in ``presets``."""
