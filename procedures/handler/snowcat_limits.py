"""The limits of a load: memory, and time for each call of the component.

The time is measured outside of the component. The runtime can interrupt a call, by epochs or by
fuel, but the checks that it compiles for that make every call a seventh slower. A call that takes
too long continues in its thread until the process ends. It has no effect: the component can do no
I/O.
"""

import queue
import threading

from wasmtime import WasmtimeError

MEMORY = 1 << 30
SECONDS = 120.0


class Exceeded(Exception):
    """A load exceeded a limit; the message says which."""


class Limits:
    """The limits of one instance of the component, and the thread that makes its calls."""

    def __init__(self, store, memory=None, seconds=SECONDS):
        self._memory = MEMORY if memory is None else memory
        self._seconds = seconds
        self._begun = False
        self._calls = queue.SimpleQueue()
        self._results = queue.SimpleQueue()
        store.set_limits(memory_size=self._memory)

    def call(self, function, *arguments):
        """Return or raise what the function does; raise `Exceeded` at a limit."""
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
            # A component without memory executes this instruction, and hardly any other one does.
            why = (
                "the load stopped: most likely it needs more than the "
                f"{self._memory >> 20} MB of memory that it may use"
            )
            raise Exceeded(f"{why} (smaller pages or files need less)") from error
        if error is not None:
            raise error
        return value

    def close(self):
        """End the thread after the call that it makes."""
        self._calls.put(None)


def _work(calls, results):
    while (call := calls.get()) is not None:
        function, arguments = call
        try:
            results.put((function(*arguments), None))
        except BaseException as error:  # noqa: BLE001 - `call` raises it
            results.put((None, error))
