"""Checksums of the files beside this one, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "2fdcc317be7d0555350e29fc209992ae"
    "6006f8237cbbe9daf61c13d3fc4e5700",
}
