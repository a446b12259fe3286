"""An ASGI application that takes its time; for test_web_leaves.py."""

import asyncio
import time


async def application(scope, receive, send):
    path = scope["path"]
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    if path == "/slow":
        await asyncio.sleep(2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if path == "/endless":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.to_thread(time.sleep, 60)
    await send({"type": "http.response.body", "body": path.encode() + body})
