"""The fastest app there is in plain Python: it answers with as many bytes as the path says, or with chunks."""

import asyncio

from dlt.hub import run


@run.interactive()
def app(run_context):
    port = run_context["run_args"]["port"]

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            size, _, chunked = head.split(b" ", 2)[1].strip(b"/").partition(b"/")
            left = int(size or 0)
            length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % left
            writer.write(b"HTTP/1.1 200 OK\r\nX-Port: %d\r\n%s\r\n\r\n" % (port, length))
            while left > 0:
                piece = min(left, 1 << 16 if chunked else 1 << 20)
                body = b"x" * piece
                writer.write(b"%x\r\n%s\r\n" % (piece, body) if chunked else body)
                left -= piece
                await writer.drain()
            if chunked:
                writer.write(b"0\r\n\r\n")

    async def serve():
        server = await asyncio.start_server(answer, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())
