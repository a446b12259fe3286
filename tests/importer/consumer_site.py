"""A consumer on the database of DATABASE_URL, in a process of its own, as on another host.

consumer_site.py migrate | consume | tell
"""

import json
import sys

from tests.elsewhere import set_up

if __name__ == "__main__":
    set_up()
    from django.core.management import call_command

    if sys.argv[1] == "migrate":
        call_command("migrate", verbosity=0, skip_checks=True)
    elif sys.argv[1] == "consume":
        call_command("consume_rows", "people", wait=1.0, until_empty=True, skip_checks=True)
    else:
        from contacts.models import Person
        from importer.models import Import, Inbox

        first = list(Person.objects.order_by("email_key").values_list("name", "email")[:2])
        print(json.dumps([Person.objects.count(), Inbox.objects.count(), Import.objects.count(), first]))
