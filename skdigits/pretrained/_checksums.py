"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "eeecdbdfc8e934c7a55aa14cc4a77523"
    "6509ee5c0f4edff038e10bcf66acac3e",
}
