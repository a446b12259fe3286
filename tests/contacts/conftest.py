from tests.importer.conftest import load, submit

__all__ = ["load", "submit"]
