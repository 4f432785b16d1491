"""A program for E2B's cloud, run by sandboxes of this machine.

    python3 -m venv venv && venv/bin/pip install e2b-code-interpreter
    codecell serve           # prints three variables: export them in another shell, then
    venv/bin/python3 e2b_quick_start.py
"""

from e2b_code_interpreter import Sandbox

with Sandbox.create() as sandbox:
    sandbox.run_code("x = 1")
    execution = sandbox.run_code("x += 1; x")
    print(execution.text)
    sandbox.files.write("hello.txt", "hello")
    print(sandbox.commands.run("cat hello.txt").stdout)
