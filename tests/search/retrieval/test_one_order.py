"""One order and one count: what matches does not depend on the page or the filters, and pages make one list."""
