"""Magpie: a self-hosted search engine for catalogues of things with pictures, which learns from clicks."""
