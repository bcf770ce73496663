"""The commands of `attention-zoo`, one file each."""
