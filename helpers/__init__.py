"""What the notebooks and the labs share: attention, models, tasks, training, plots and checks."""
