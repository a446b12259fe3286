#!/usr/bin/env python
"""Django's command line for Loadify."""

import importlib
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
    if sys.argv[1:2] == ["up"]:
        from loadify import embedded

        try:
            embedded.plan()
        except OSError as problem:
            sys.exit(f"Loadify cannot write to its data directory: {problem}. Set LOADIFY_DATA_DIR to another one.")
    if sys.argv[1:2] == ["doctor"]:
        # Whom it is for may not have come as far as settings that can be read.
        try:
            importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
        except Exception as problem:
            sys.exit(f"✗ Settings: {problem}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
