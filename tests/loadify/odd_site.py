"""An ASGI application whose answers break off, or have no end; for test_web.py."""

import asyncio

written = 0


async def application(scope, receive, send):
    global written
    path = scope["path"]
    if path == "/refuses":
        raise ValueError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if path == "/written":
        await send({"type": "http.response.body", "body": str(written).encode()})
    elif path == "/breaks":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError
    elif path == "/endless":
        # First comes the request itself.
        await receive()
        gone = asyncio.ensure_future(receive())
        written = 0
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            written += 1
            await asyncio.sleep(0)
    else:
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
