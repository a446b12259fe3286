"""News of the importer for whoever wires it to something else; sent inside the transaction that makes them true."""

from django.dispatch import Signal

#: An import came to its end; `run` is the Import, with its last state and error set. A receiver that raises undoes the end.
import_ended = Signal()
