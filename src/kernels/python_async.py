# Cells and asyncio. A cell runs as if inside a running loop, so that await
# works at its top level and asyncio.create_task() anywhere; the loop itself
# runs while a cell awaits, and has a turn before and after each cell, so that
# its tasks go on. kernel and part are given by the core.
import asyncio

# Not what the user may put in their place.
new_loop, set_loop = asyncio.new_event_loop, asyncio.set_event_loop
set_running = asyncio._set_running_loop
TURNS = 5  # enough for a task that waits for another that has ended


def loop():
    if kernel.loop is None or kernel.loop.is_closed():
        kernel.loop = new_loop()
        set_loop(kernel.loop)
    return kernel.loop


def enter():
    """The loop counts as running from now on."""
    running = loop()
    running.is_running = always
    set_running(running)


def leave():
    set_running(None)
    vars(kernel.loop).pop('is_running', None)


def always():
    return True


def turn():
    """Let the tasks do what they need not wait for."""
    running = kernel.loop
    for _ in range(TURNS):
        if running.is_closed() or not asyncio.all_tasks(running):
            break
        leave()
        running.call_soon(running.stop)
        running.run_forever()
    enter()


def run(coroutine):
    """Run a cell that awaits, to its end."""
    running = loop()
    leave()
    task = running.create_task(coroutine)
    try:
        return running.run_until_complete(task)
    except BaseException:
        if not task.done():  # interrupted: the task must not go on later
            task.cancel()
            try:
                running.run_until_complete(task)
            except BaseException:
                pass
        raise
    finally:
        enter()
