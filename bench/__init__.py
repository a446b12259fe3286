"""Measurements: how fast and how lean Loadify is. See README.md."""
