"""How is an encoder trained on a catalogue?"""
