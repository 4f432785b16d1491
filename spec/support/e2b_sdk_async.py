"""What the official SDK for asyncio does with a gateway: a line "ok NAME" or "FAIL NAME ..." each."""
import asyncio

from e2b_code_interpreter import AsyncSandbox


async def command(sandbox):
    results = await asyncio.gather(*(sandbox.commands.run(f"echo {i}") for i in range(20)))
    assert [result.stdout.strip() for result in results] == [str(i) for i in range(20)]


async def code(sandbox):
    said = []
    execution = await sandbox.run_code("print('a')\n2", on_stdout=lambda one: said.append(one.line))
    assert execution.text == "2" and said == ["a\n"]


async def files(sandbox):
    await sandbox.files.write("f", "text")
    assert await sandbox.files.read("f") == "text"


async def watch(sandbox):
    seen = asyncio.Queue()
    handle = await sandbox.files.watch_dir("/home/user", lambda event: seen.put_nowait(event.name))
    await sandbox.files.write("watched", "1")
    assert await asyncio.wait_for(seen.get(), 20) == "watched"
    await handle.stop()


async def streamed_input(sandbox):
    echoed = asyncio.Queue()
    handle = await sandbox.commands.run("cat", background=True, stdin=True,
                                        on_stdout=echoed.put_nowait)
    async with sandbox.commands.stream_input(handle.pid) as input_handle:
        for text in ("one\n", "two\n"):  # each comes while the stream is open
            await input_handle.send(text)
            assert await asyncio.wait_for(echoed.get(), 20) == text
    await sandbox.commands.close_stdin(handle.pid)
    assert (await handle.wait()).stdout == "one\ntwo\n"


async def main():
    sandbox = await AsyncSandbox.create(timeout=120)
    for called in (command, code, files, watch, streamed_input):
        try:
            await called(sandbox)
            print("ok", called.__name__)
        except Exception as error:  # noqa: BLE001: told, and the others go on
            print("FAIL", called.__name__, type(error).__name__, str(error)[:300])
    await sandbox.kill()


asyncio.run(main())
