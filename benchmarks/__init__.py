"""arignote against NumPy by hand, PyTensor, JAX and PyTorch: ``python -m benchmarks``."""
