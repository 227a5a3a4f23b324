"""Which steps turn the catalogue into the files of one index, and in which order?"""
