"""Kills every verb at random moments, and looks whether what is left is whole and goes on."""
