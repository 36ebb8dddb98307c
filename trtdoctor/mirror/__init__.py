"""Mirrors and private registries beside their upstream: looked at here, judged by the rules of family MIR."""
