"""The fastest app there is in plain Python: it answers any request with as many bytes as its path says."""

import asyncio

from dlt.hub import run


@run.interactive()
def app(run_context):
    port = run_context["run_args"]["port"]

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.split(b" ", 2)[1].strip(b"/") or 0)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Port: %d\r\nContent-Length: %d\r\n\r\n" % (port, size))
            while size > 0:
                writer.write(b"x" * min(size, 1 << 20))
                size -= 1 << 20
                await writer.drain()

    async def serve():
        server = await asyncio.start_server(answer, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())
