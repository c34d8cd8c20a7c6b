"""Whole-network array routines, compiled: arrays in, numbers and a status out."""
