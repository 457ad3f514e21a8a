"""What the privileged specification asks, of every engine."""
