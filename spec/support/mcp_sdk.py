"""What the official client for Python does with `codecell mcp`: a line "ok NAME" or "FAIL NAME ..." each.

python mcp_sdk.py auto|legacy PROTOCOL COMMAND... or URL KEY
"""
import asyncio
import base64
import re
import sys
import traceback
import urllib.parse
import warnings

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

warnings.simplefilter("ignore")
mode, wanted, *place = sys.argv[1:]
logged = []


async def hear(params):
    logged.append(params.data)


class Between:
    """Between client and server; where it is told to, it cuts the answer to a POST behind its first event."""

    is_to_cut = False

    async def take(self, near, to_near):
        far, to_far = await asyncio.open_connection(self.url.hostname, self.url.port)
        is_post = False

        async def forth():
            nonlocal is_post
            while data := await near.read(65536):
                if re.match(rb"[A-Z]+ /", data):
                    is_post = data.startswith(b"POST")
                to_far.write(data)
            to_far.close()

        async def back():
            while data := await far.read(65536):
                to_near.write(data)
                if self.is_to_cut and is_post and b"\ndata:\n" in data:
                    self.is_to_cut = False
                    to_far.close()
                    break
            to_near.close()

        try:
            await asyncio.gather(forth(), back(), return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the program ends

    async def start(self, url):
        self.url = urllib.parse.urlparse(url)
        listening = await asyncio.start_server(self.take, "127.0.0.1", 0)
        return "http://127.0.0.1:%d%s" % (listening.sockets[0].getsockname()[1], self.url.path)


between = Between()


async def server():
    if place[0].startswith("http"):
        web = httpx2.AsyncClient(headers={"X-API-Key": place[1]}, timeout=60)
        return streamable_http_client(await between.start(place[0]), http_client=web)
    return StdioServerParameters(command=place[0], args=place[1:])


def text(result):
    return "\n".join(getattr(part, "text", "") for part in result.content)


async def raises(called):
    try:
        await called
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


async def run(client, code, **more):
    return await client.call_tool("run_code", {"code": code}, **more)


async def begins(client):
    assert client.protocol_version == wanted, client.protocol_version
    assert client.server_info.name == "codecell"
    assert "no network" in client.instructions


async def lists(client):
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [
        "run_code", "run_shell", "files", "install", "read_output", "job"]
    assert len((await client.list_prompts()).prompts) == 2
    assert len((await client.list_resource_templates()).resource_templates) == 2


async def calls(client):
    await run(client, "x = 20")
    result = await run(client, "print('out'); x + 1")
    assert result.structured_content["results"] == ["21"], result
    failed = await run(client, "1 / 0")
    assert failed.is_error and "ZeroDivisionError" in text(failed)
    await raises(client.call_tool("nope", {}))


async def shows(client):
    result = await run(client, """
class Picture:
    def _repr_png_(self):
        import base64
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
            "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
Picture()""")
    image = next(part for part in result.content if part.type == "image")
    assert image.mime_type == "image/png" and base64.b64decode(image.data)[1:4] == b"PNG"


async def progresses(client):
    seen = []

    async def note(progress, total, message):
        seen.append(message)

    await run(client, "import time\nprint('step', flush=True)\ntime.sleep(3)",
              progress_callback=note)
    assert "step" in seen, seen


async def cancels(client):
    await run(client, "kept = 1")
    call = asyncio.create_task(run(client, "import time; time.sleep(1000)"))
    await asyncio.sleep(0.3)
    call.cancel()
    assert "2" in text(await run(client, "kept + 1"))


async def reads(client):
    await run(client, "open('a.csv', 'w').write('a,b'); open('raw', 'wb').write(bytes([0, 255]))")
    listed = (await client.list_resources(cache_mode="bypass")).resources
    one = next(resource for resource in listed if resource.name == "a.csv")
    assert one.mime_type == "text/csv" and one.size == 3
    assert (await client.read_resource(str(one.uri))).contents[0].text == "a,b"
    raw = await client.read_resource("sandbox:///home/user/raw")
    assert raw.contents[0].blob == "AP8="
    await raises(client.read_resource("sandbox:///nowhere"))


async def logs(client):
    if mode == "legacy" or place[0].startswith("http"):
        await client.set_logging_level("info")
    await run(client, "print('logged')")
    for _ in range(400):
        if "logged\n" in logged:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(logged)


async def resumes(client):
    if not place[0].startswith("http"):
        return
    between.is_to_cut = True
    call = asyncio.create_task(run(
        client, "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\n'it went on'"))
    while between.is_to_cut:
        await asyncio.sleep(0.05)
    await client.call_tool("run_shell", {"command": "touch go"})
    assert "it went on" in text(await call)


async def main():
    cases = [begins, lists, calls, shows, progresses, cancels, reads, resumes, logs]
    async with Client(await server(), mode=mode, log_level="info", logging_callback=hear) as client:
        for case in cases:
            try:
                await case(client)
                print("ok", case.__name__, flush=True)
            except Exception:
                print("FAIL", case.__name__, traceback.format_exc(), flush=True)

asyncio.run(main())
