"""What the importer's tests make is made here, too."""

from tests.importer.conftest import load, submit

__all__ = ["load", "submit"]
