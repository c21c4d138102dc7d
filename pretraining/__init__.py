"""How the network of skdigits.pretrained is trained: `make pretrained` runs it."""
