"""Other ways to bring the same file into the same table, each as its own documentation recommends it for speed.

A peer is a module with `load(path, url)`; `NAME`, what the tables call it; and `CLEAN`, whether it is given the clean file, in
which each key comes once, trimmed and with every column, because it cannot do with the raw one.
"""

#: Modules of this package, in the order in which they take turns.
PEERS = ("raw_copy", "upsert", "bulk_create", "postgres_copy", "pandas_copy", "pgloader", "import_export")
#: Those that need more than Loadify itself, and so bench/.venv.
FOREIGN = ("postgres_copy", "pandas_copy", "import_export")
