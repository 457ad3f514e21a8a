"""The recipe of the default guest. Every file below this folder enters the image's key."""

from rvsim.guest.recipe.image import IMAGE

__all__ = ["IMAGE"]
