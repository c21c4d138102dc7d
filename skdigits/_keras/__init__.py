"""The only package that imports Keras and TensorFlow."""
