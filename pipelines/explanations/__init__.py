"""What an answer of a model depends on: attention through the layers, with gradients, and without attention."""
