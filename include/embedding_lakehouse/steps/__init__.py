"""What happens: a module per DAG, a function per task."""
