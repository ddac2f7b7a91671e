"""The Move toolchain: a compiler with its unit tests, and a virtual machine that runs what it made.

For development and tests alone. What it compiles is never deployed: see `move/README.md`.
"""
