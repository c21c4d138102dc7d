"""Checksums of the files beside this one, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "ae97f3b6e6b0ab5985d6bcc722110b6a"
    "3b70f9c1009128dafa30d60367063394",
}
