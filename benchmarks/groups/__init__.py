"""What is measured: a module for each group, with a function `measure` that returns its section of the report."""
