"""Random distortions of images for training."""

from skdigits.augmentation._random_distortion import RandomDistortion

__all__ = ["RandomDistortion"]
