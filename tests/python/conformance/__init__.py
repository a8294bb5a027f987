"""Runs data through dlt, recorded, and through Snowcat, and compares the results.

`python -m conformance` runs folders of cases and corpora; `python -m conformance.record` records cases with dlt. As a
library: `cases` reads a folder, `emulated` runs Snowcat on the emulator, `reference` runs dlt, `canonical` is the
common form of results, and `compare` returns the differences.
"""
