"""A netlist becomes a graph of values in which the decision tree is visible again."""
