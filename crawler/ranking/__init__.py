"""What turns texts into scores: words, vectors, and the sentence that says so."""
