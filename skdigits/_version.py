"""The version, which saved classifiers are stamped with."""

__version__ = "0.1.0.dev0"
