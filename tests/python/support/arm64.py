"""Runs the precompiled files for aarch64 with the procedure's handler on an emulated processor.

Usage: arm64.py PACKAGE RUNS, with the Python of that machine. The package has the runtime's zip. Each run is a folder
of `tests/data/transcripts`, and its transcript must be equal byte by byte. Of Snowflake's packages only two names are
needed.
"""

import json
import pathlib
import sys
import time
import types


def recorded(lines, failed):
    """A warehouse that answers from a transcript."""
    replies = iter([json.loads(line)["reply"] for line in lines if line.startswith('{"reply"')][1:])

    def reply():
        found = next(replies)
        if isinstance(found, dict) and "failed" in found:
            raise failed(**found["failed"])
        return found

    return types.SimpleNamespace(
        sql=lambda _: [(o["affected"], o["rows"]) for o in reply()["outcomes"]],
        fetch=lambda _: [next(iter(answer.items())) for answer in reply()["responses"]],
        upload=lambda *_: reply(),
        wait=lambda _: reply(),
    )


def main(package, runs):
    """Every run with every engine."""
    sys.path.insert(0, package)
    sys._xoptions["snowflake_import_directory"] = package
    names = {"snowflake.connector.errors": "Error", "snowflake.snowpark.exceptions": "SnowparkClientException"}
    for module, name in names.items():
        sys.modules[module] = types.SimpleNamespace(**{name: type(name, (Exception,), {})})
    import snowcat_engine
    import snowcat_fault
    import snowcat_procedure as host
    import snowcat_runtime

    wrong = 0
    for engine in snowcat_engine.ENGINES:
        for run in sorted(path for path in pathlib.Path(runs).iterdir() if path.is_dir()):
            expected = (run / "transcript.jsonl").read_text("utf-8").splitlines()
            lines, begun = [], time.monotonic()
            guest = snowcat_engine.Guest(package, engine)
            try:
                job, now = ((run / name).read_text("utf-8").strip() for name in ("job.json", "now.txt"))
                host.run(guest, job, now, recorded(expected, snowcat_fault.Failed), lines.append)
            except host.LoadError as error:
                # A fault of the run is a line of the transcript; a trap of the component is not.
                if error.details["kind"] == "internal":
                    lines.append(str(error))
            seconds, same = time.monotonic() - begun, lines == expected and guest.by == "file"
            wrong += not same
            print(
                f"{snowcat_runtime.machine()}, {engine}, loaded by {guest.by} in {guest.load_ms} ms: {run.name}, "
                f"{len(lines)} lines in {seconds:.1f} s: {'the same' if same else 'NOT the same'}"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
