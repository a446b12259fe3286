"""Stores held rows as the timetable does, several times a second, until it is stopped."""

import os
import time

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "loadify.settings"
    import django

    django.setup()
    from importer import held

    print("ready", flush=True)
    while True:
        held.store_due()
        time.sleep(0.2)
