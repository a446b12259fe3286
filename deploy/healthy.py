"""Ends with 0 while the web process of this container answers: what Docker asks every ten seconds."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=4)
host = (os.environ.get("ALLOWED_HOSTS") or "*").split(",")[0].strip().lstrip(".").replace("*", "localhost")
# As the proxy would ask: the process leads everything else to https, and knows only the names it is called by.
connection.request("GET", "/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
sys.exit(connection.getresponse().status != 200)
