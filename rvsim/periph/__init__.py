"""The devices of the machine: each folder holds one register map, its functional twin and its hardware."""
