"""The tools, one to a module; ``insitu.workspace.catalog`` lists them."""
