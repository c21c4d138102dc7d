"""Checksums of the files beside, written by `make pretrained`."""

SHA256 = {
    "digit_reader.npz": "3a568ccc3ec17d9ce6c1214f18378e09"
    "e1aeea4bea22c7c68dc479ad8d7ccc98",
}
