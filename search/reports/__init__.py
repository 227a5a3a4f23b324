"""What did rankings and people do? Figures for the owner."""
