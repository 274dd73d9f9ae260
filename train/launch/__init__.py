"""How several processes of a training are started: torchrun, or Ray Train."""
