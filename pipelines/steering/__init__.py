"""Steering: from camera frames to the angle of the wheels."""
