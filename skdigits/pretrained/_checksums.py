"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "960a01bb15d51c23685f6327c3a130e0"
    "e3ded2ff77f0f07958d20640e19ab8d3",
}
