"""Models of PyTorch: initialised on the edge of chaos, and measured beside what theory says of them."""
