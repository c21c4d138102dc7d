"""Training of the network of skdigits.pretrained; run by `make pretrained`."""
