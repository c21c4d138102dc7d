"""Random distortions of images for training, and removing the slant of digits."""

from skdigits.augmentation._deskew import deskew
from skdigits.augmentation._random_distortion import RandomDistortion

__all__ = ["RandomDistortion", "deskew"]
