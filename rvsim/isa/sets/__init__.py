"""The instruction sets, one file each, in the order of the unprivileged specification."""
