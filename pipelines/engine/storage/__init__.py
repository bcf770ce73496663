"""Files and checkpoints that survive kills and full disks."""
