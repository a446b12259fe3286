#!/usr/bin/env python
"""Django's command line for Loadify."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
    if sys.argv[1:2] == ["up"]:
        from loadify import embedded

        embedded.plan()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
