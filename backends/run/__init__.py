"""Optimised graph -> the fastest way to run it on this device, measured."""
