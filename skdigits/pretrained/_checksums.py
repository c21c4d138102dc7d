"""Checksums of the files beside, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "a1b1e63cb9b88ee9df054ef9108ca64a"
    "8e8fd92f939826b036b731253a021fdd",
}
