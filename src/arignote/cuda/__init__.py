"""The CUDA backend from the command line: ``python -m arignote.cuda selftest``."""
