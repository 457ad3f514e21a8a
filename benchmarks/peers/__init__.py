"""What the engine is measured beside: each peer builds a subject and runs it for so many cycles."""
