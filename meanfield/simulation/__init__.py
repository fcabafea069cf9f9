"""Random networks as they are, drawn with their weights, beside what theory predicts of them."""
