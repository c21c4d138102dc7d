"""Checksums of the files beside, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "f12720cb7c1854c6bfa59b52fd9cdb12"
    "10524db4ba43a1f0882c28f00a196a03",
}
