"""The network in NumPy: its layers, batch normalisation and inference."""
