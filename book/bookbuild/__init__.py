"""What turns the notebooks and the prose into the book: pairs, execution, figures, generated pages, buttons."""
