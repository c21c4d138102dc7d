"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "8aa13a9409aa652c755f71108e27b135"
    "01ffc2768c59a11c84308c811eca37de",
}
