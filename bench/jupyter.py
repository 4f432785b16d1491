"""ipykernel through jupyter_client, as a co-process of run.py: one verb a line, one line of nanoseconds back.

    first           a kernel from nothing to the answer of 1+1, and its end
    cell COUNT      1+1 in a living kernel, so often
    code COUNT FILE the code of FILE in a living kernel, so often; the first run is not counted
"""
import sys
import time

from jupyter_client.manager import start_new_kernel


def execute(client, code):
    """Seconds from the request until the kernel has said all, and how many results there were."""
    results = [0]

    def heard(message):
        if message["msg_type"] in ("execute_result", "display_data"):
            results[0] += 1
        elif message["msg_type"] == "error":
            raise RuntimeError("%(ename)s: %(evalue)s" % message["content"])
    start = time.perf_counter()
    client.execute_interactive(code, output_hook=heard, timeout=120)
    return time.perf_counter() - start, results[0]


def start():
    begin = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    execute(client, "1+1")
    return time.perf_counter() - begin, manager, client


def stop(manager, client):
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def main():
    manager = client = None
    for line in sys.stdin:
        verb, *words = line.split()
        times = []
        if verb == "first":
            length, *fresh = start()
            stop(*fresh)
            times.append(length)
        else:
            if client is None:
                _, manager, client = start()
            code = "1+1"
            if verb == "code":
                with open(words[1]) as file:
                    code = file.read()
                execute(client, code)
            times = [execute(client, code)[0] for _ in range(int(words[0]))]
        print(*("%.0f" % (length * 1e9) for length in times), flush=True)
    if client is not None:
        stop(manager, client)


main()
