"""The command line: a table of options, two readers of it, and one file for each command."""
