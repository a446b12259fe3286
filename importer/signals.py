"""News of the importer for whoever wires it to something else; sent inside the transaction that makes them true."""

from django.dispatch import Signal

#: An import came to its end; `run` is the Import, with its last state and error set. Senders use send_robust: a receiver
#: that raises is logged, and the import ends all the same, so one that writes needs a savepoint of its own.
import_ended = Signal()
