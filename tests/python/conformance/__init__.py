"""What dlt makes of data, recorded, and what Snowcat makes of the same.

`python -m conformance` runs folders of cases and corpora; `python -m conformance.record` has dlt record cases anew.
As a library: `cases` reads a folder, `emulated` runs Snowcat on the emulator, `reference` runs dlt, `canonical` is the
form both are put into, `compare` tells the difference.
"""
