"""The units of the hardware hart, in Amaranth's simulator."""
