"""The version: the build reads it here, saved classifiers are stamped with it."""

__version__ = "0.1.0"
