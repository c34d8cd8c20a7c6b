"""Looking at results: text tables and one self-contained page. Nothing is computed here."""
