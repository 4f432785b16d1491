"""What the official SDK for Python does with an account: templates, volumes and secrets. A line "ok
NAME" or "FAIL NAME ..." each."""
import asyncio
import pathlib
import tempfile
import traceback

import e2b
from e2b import AsyncTemplate, Sandbox, Template

CASES = []


def case(called):
    CASES.append(called)
    return called


def raises(kind, called, text=""):
    try:
        called()
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError("it did not raise " + kind.__name__)


@case
def template():
    with tempfile.TemporaryDirectory() as context:
        folder = pathlib.Path(context) / "folder"
        folder.mkdir()
        (folder / "one.txt").write_text("hello\n")
        lines = []
        info = Template.build(
            Template(file_context_path=context).from_template("base").copy("folder", "data")
            .run_cmd("cat data/one.txt").pip_install(["iniconfig==2.0.0"]).set_workdir("work"),
            "py-one", memory_mb=512, on_build_logs=lambda entry: lines.append(entry.message))
    assert "hello" in lines, lines
    assert Template.exists("py-one")
    sandbox = Sandbox.create("py-one", timeout=60)
    result = sandbox.commands.run("cat ~/data/one.txt; pwd; python3 -c 'import iniconfig'")
    assert result.stdout == "hello\n/home/user/work\n", result.stdout
    assert sandbox.get_info().template_id == info.template_id
    sandbox.kill()
    Template.assign_tags("py-one", ["v1", "v2"])
    Template.remove_tags("py-one", "v2")
    assert sorted(one.tag for one in Template.get_tags("py-one")) == ["default", "v1"]


@case
def template_async():
    async def build():
        info = await AsyncTemplate.build(
            AsyncTemplate().from_template("py-one").run_cmd("cat ../data/one.txt"), "py-two")
        return await AsyncTemplate.get_build_status(info)
    assert asyncio.run(build()).status.value == "ready"


@case
def failures():
    def build(template):
        return lambda: Template.build(template, "py-bad")
    raises(e2b.BuildException, build(Template().from_template("base").run_cmd("exit 4")),
           "exit status 4")
    raises(e2b.BuildException, build(Template().from_template("no-such")), "not found")
    raises(e2b.BuildException, build(Template().from_python_image()), "is not here")


@case
def volume():
    made = e2b.Volume.create("py-volume")
    made.write_file("/f", b"bytes")
    made.make_dir("/d")
    sandbox = Sandbox.create("base", timeout=60, volume_mounts={"/mnt/v": made})
    assert sandbox.commands.run("cat /mnt/v/f; echo in > /mnt/v/d/in").stdout == "bytes"
    sandbox.kill()
    assert made.read_file("/d/in") == "in\n"
    assert [one.path for one in made.list("/", depth=2)] == ["/d", "/d/in", "/f"]
    made.remove("/d")
    assert not made.exists("/d")
    assert e2b.Volume.destroy(made.volume_id)
    assert not e2b.Volume.destroy(made.volume_id)


@case
def secret():
    made = e2b.Secret.create("py-key", "value", metadata={"env": "test"})
    assert (made.name, made.version, made.metadata) == ("py-key", 1, {"env": "test"})
    assert e2b.Secret.update("py-key", "other").version == 2
    assert e2b.Secret.exists("py-key")
    assert e2b.Secret.destroy("py-key")
    assert not e2b.Secret.exists("py-key")


for called in CASES:
    try:
        called()
        print("ok", called.__name__)
    except Exception:
        print("FAIL", called.__name__, traceback.format_exc().replace("\n", " | "))
