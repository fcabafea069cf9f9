"""Results as tables: for programs (JSON, CSV), for papers (LaTeX, Markdown) and for notebooks (HTML)."""
