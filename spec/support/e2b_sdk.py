"""What the official SDK for Python does with a gateway: a line "ok NAME" or "FAIL NAME ..." each."""
import sys
import time
import urllib.error
import urllib.request

import e2b
from e2b_code_interpreter import Sandbox

CASES = []


def case(called):
    CASES.append(called)
    return called


def raises(kind, called):
    try:
        called()
    except kind:
        return
    raise AssertionError("it did not raise " + kind.__name__)


sandbox = Sandbox.create(metadata={"k é": "v&="}, envs={"A": "1"}, timeout=120)
commands, files = sandbox.commands, sandbox.files


@case
def command():
    result = commands.run("echo out $A $B; echo err >&2; pwd", envs={"B": "2"}, cwd="/tmp")
    assert (result.stdout, result.stderr, result.exit_code) == ("out 1 2\n/tmp\n", "err\n", 0)
    raises(e2b.CommandExitException, lambda: commands.run("exit 3"))
    raises(e2b.InvalidArgumentException, lambda: commands.run("ls", cwd="/nope"))
    pieces = []
    commands.run("echo a; sleep 0.1; echo b", on_stdout=pieces.append)
    assert "".join(pieces) == "a\nb\n", pieces


@case
def background_command():
    handle = commands.run("sleep 100", background=True)
    assert any(one.pid == handle.pid for one in commands.list())
    other = commands.connect(handle.pid)
    assert handle.kill() is True
    raises(e2b.CommandExitException, handle.wait)
    raises(e2b.CommandExitException, other.wait)
    assert commands.kill(99999) is False


@case
def command_input():
    handle = commands.run("cat", background=True, stdin=True)
    commands.send_stdin(handle.pid, "text\n")
    commands.close_stdin(handle.pid)
    assert handle.wait().stdout == "text\n"


@case
def streamed_input():
    handle = commands.run("cat", background=True, stdin=True)
    commands.stream_input(handle.pid, iter(["one ", b"two"]))
    commands.close_stdin(handle.pid)
    assert handle.wait().stdout == "one two"
    raises(e2b.NotFoundException, lambda: commands.stream_input(99999, iter(["x"])))
    pieces = []
    handle = sandbox.pty.create(e2b.PtySize(cols=80, rows=24))
    sandbox.pty.stream_input(handle.pid, iter(["echo $((40 + ", "2)); exit\n"]))
    handle.wait(on_pty=pieces.append)
    assert b"42" in b"".join(pieces), pieces


@case
def command_timeout():
    raises(e2b.TimeoutException, lambda: commands.run("sleep 10", timeout=1))
    for _ in range(100):
        if not commands.list():
            return
        time.sleep(0.05)
    raise AssertionError("it runs on")


@case
def terminal():
    pieces = []
    handle = sandbox.pty.create(e2b.PtySize(cols=80, rows=24))
    sandbox.pty.resize(handle.pid, e2b.PtySize(cols=100, rows=30))
    sandbox.pty.send_stdin(handle.pid, b"stty size; exit\n")
    handle.wait(on_pty=pieces.append)
    assert b"30 100" in b"".join(pieces), pieces


@case
def file_verbs():
    files.write("a/b.txt", "x")
    assert files.read("a/b.txt") == "x" and files.read("a/b.txt", format="bytes") == b"x"
    assert files.exists("a/b.txt") and not files.exists("nope")
    info = files.get_info("a/b.txt")
    assert (info.path, info.size, info.type.value, info.permissions) == (
        "/home/user/a/b.txt", 1, "file", "-rw-r--r--"), info
    assert files.make_dir("d") is True and files.make_dir("d") is False
    assert files.rename("a/b.txt", "d/c").path == "/home/user/d/c"
    files.remove("d")
    assert not files.exists("d")
    files.write_files([{"path": "m1", "data": "1"}, {"path": "m 2", "data": b"\x00\xff"}])
    assert files.read("m 2", format="bytes") == b"\x00\xff"
    assert "m1" in [one.name for one in files.list("/home/user")]
    raises(e2b.FileNotFoundException, lambda: files.read("nope"))
    raises(e2b.FileNotFoundException, lambda: files.list("nope"))


@case
def file_transfers():
    files.write("big", b"z" * 3000000)
    assert sum(len(piece) for piece in files.read("big", format="stream")) == 3000000
    files.write("packed", "hello" * 100, gzip=True)
    assert files.read("packed", gzip=True) == "hello" * 100
    files.write("plain", b"abc", use_octet_stream=True)
    assert files.read("plain") == "abc"


@case
def watch():
    files.make_dir("w")
    handle = files.watch_dir("w")
    files.write("w/x", "1")
    seen = []
    for _ in range(100):
        seen += [one.name for one in handle.get_new_events()]
        if seen:
            break
        time.sleep(0.05)
    handle.stop()
    assert "x" in seen


@case
def signed_urls():
    files.write("u v.txt", "signed")
    url = sandbox.download_url("u v.txt", use_signature_expiration=100)
    assert urllib.request.urlopen(url).read() == b"signed"
    try:
        urllib.request.urlopen(url.replace("signature=", "signature=x"))
    except urllib.error.HTTPError as error:
        assert error.code == 401
    else:
        raise AssertionError("a wrong signature was taken")


@case
def life():
    info = sandbox.get_info()
    assert info.sandbox_id == sandbox.sandbox_id and info.metadata == {"k é": "v&="}
    query = e2b.SandboxQuery(metadata={"k é": "v&="})
    pages = Sandbox.list(query=query)
    assert [one.sandbox_id for one in pages.next_items()] == [sandbox.sandbox_id]
    assert not pages.has_next and sandbox.is_running()
    sandbox.set_timeout(300)
    assert sandbox.get_metrics()[0].mem_used > 0


@case
def pause():
    sandbox.run_code("kept = 5")
    sandbox.pause()
    assert not sandbox.is_running() and sandbox.get_info().state.value == "paused"
    assert Sandbox.connect(sandbox.sandbox_id).run_code("kept").text == "5"


@case
def rebooted():
    other = Sandbox.create(timeout=120, idempotency_key="once")
    assert Sandbox.create(timeout=120, idempotency_key="once").sandbox_id == other.sandbox_id
    other.files.write("kept", "1")
    for pause, resume in (({"mode": "filesystem"}, "restore"), ({"strict": True}, "reboot")):
        other.run_code("lost = 1")
        assert other.pause(**pause) is True and other.pause() is False
        other = Sandbox.connect(other.sandbox_id, on_resume=resume)
        assert other.run_code("lost").error and other.files.read("kept") == "1"
    other.kill()
    raises(e2b.SandboxNotRunningException, lambda: other.commands.run("true"))


@case
def code():
    execution = sandbox.run_code("print('hi')\n1 / 0")
    assert execution.error.name == "ZeroDivisionError" and execution.logs.stdout == ["hi\n"]
    assert sandbox.run_code("import os; os.environ['Q']", envs={"Q": "q"}).text == "q"
    for language, text in (("js", "1 + 1"), ("ts", "const n: number = 2; n"), ("python", "2")):
        assert sandbox.run_code(text, language=language).text == "2", language
    assert sandbox.run_code("echo 2", language="bash").logs.stdout == ["2\n"]


@case
def contexts():
    context = sandbox.create_code_context(cwd="/tmp")
    sandbox.run_code("q = 1", context=context)
    assert sandbox.run_code("q", context=context).text == "1" and sandbox.run_code("q").error
    assert context.id in [one.id for one in sandbox.list_code_contexts()]
    sandbox.restart_code_context(context)
    assert sandbox.run_code("q", context=context).error
    sandbox.remove_code_context(context.id)
    raises(e2b.NotFoundException, lambda: sandbox.run_code("q", context=context))


@case
def interrupt():
    raises(e2b.TimeoutException, lambda: sandbox.run_code("while True: pass", timeout=1))
    assert sandbox.run_code("kept", timeout=20).text == "5"


@case
def git():
    sandbox.git.init("/home/user/repo")
    files.write("repo/f", "1")
    sandbox.git.add("/home/user/repo")
    sandbox.git.commit("/home/user/repo", "m", author_name="a", author_email="a@b.c")
    assert sandbox.git.status("/home/user/repo").is_clean


@case
def copies():
    kept = sandbox.create_snapshot()
    other = Sandbox.create(kept.snapshot_id)
    assert other.files.read("m1") == "1"
    other.kill()
    assert Sandbox.delete_snapshot(kept.snapshot_id) is True
    assert Sandbox.delete_snapshot(kept.snapshot_id) is False


@case
def wrong_calls():
    raises(e2b.SandboxNotFoundException, lambda: Sandbox.connect("i" + "0" * 20))
    raises(e2b.AuthenticationException, lambda: Sandbox.create(api_key="e2b_" + "1" * 40))
    raises(e2b.SandboxException, lambda: Sandbox.create(timeout=100000))
    raises(e2b.SandboxException, lambda: Sandbox.create("nope"))
    raises(e2b.SandboxException, lambda: Sandbox.create(network={"https_ports": [8443]}))


@case
def end():
    handle = commands.run("sleep 100", background=True)
    assert sandbox.kill() is True and sandbox.kill() is False and not sandbox.is_running()
    raises(e2b.SandboxException, handle.wait)
    raises(e2b.SandboxException, lambda: commands.run("true"))


for called in CASES:
    try:
        called()
        print("ok", called.__name__)
    except Exception as error:  # noqa: BLE001: told, and the others go on
        print("FAIL", called.__name__, type(error).__name__, str(error)[:300].replace("\n", " "))
sys.exit(0)
