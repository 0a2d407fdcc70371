"""The linear models that a recommendation is a sum of, each learned in its own way."""
