"""The one door to Keras and TensorFlow: nothing else imports them."""
