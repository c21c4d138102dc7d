"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "98992279764367b58fc09ff0d0d5fa87"
    "dd900ba9810a92b8705fc3afbf133ed3",
}
