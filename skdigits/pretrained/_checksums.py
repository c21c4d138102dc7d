"""Checksums of the files in this folder, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "eab8995f0e058483cbcda5d0f698793a"
    "ad93a0408f38d27532624251ff0b02ba",
}
