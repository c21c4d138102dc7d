"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "28b1b8ea3da470c77f82261cb33c116d"
    "492e88b0f2b18882c53c929e43418134",
}
