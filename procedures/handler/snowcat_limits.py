"""What a load may use: memory, and time for each call of the component.

The time is watched from outside. The runtime can end a call by itself, by epochs or by fuel, but the checks that it
compiles in for that make all calls a seventh slower. A call that takes too long goes on in its thread until the
process of the procedure ends; what it does has no effect any more, for the component can do nothing by itself.
"""

import queue
import threading

from wasmtime import WasmtimeError

MEMORY = 1 << 30
SECONDS = 120.0


class Exceeded(Exception):
    """A load used more than it may: the message says of what."""


class Limits:
    """The limits of one instance of the component, and the thread that all its calls are made in."""

    def __init__(self, store, memory=None, seconds=SECONDS):
        self._memory, self._seconds, self._begun = (
            MEMORY if memory is None else memory,
            seconds,
            False,
        )
        self._calls, self._results = queue.SimpleQueue(), queue.SimpleQueue()
        store.set_limits(memory_size=self._memory)

    def call(self, function, *arguments):
        """What the function returns or raises; `Exceeded` where a limit is why it does not."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=_work, args=(self._calls, self._results), daemon=True).start()
        self._calls.put((function, arguments))
        try:
            value, error = self._results.get(timeout=self._seconds)
        except queue.Empty:
            raise Exceeded(
                f"a step of the load took longer than the {self._seconds:g} s that it may take"
            ) from None
        if isinstance(error, WasmtimeError) and "wasm `unreachable` instruction" in str(error):
            # All that a component can do when it gets no memory, and it does it for hardly anything else.
            why = f"the load stopped: most likely it needs more than the {self._memory >> 20} MB of memory that it may use"
            raise Exceeded(f"{why} (smaller pages or files need less)") from error
        if error is not None:
            raise error
        return value

    def close(self):
        """End the thread, once it is done."""
        self._calls.put(None)


def _work(calls, results):
    while (call := calls.get()) is not None:
        function, arguments = call
        try:
            results.put((function(*arguments), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was asked for
            results.put((None, error))
